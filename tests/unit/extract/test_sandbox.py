"""The sandbox against parsers that fail in every way."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import children

from inbox import errors
from inbox.extract.sandbox import Limits, Sandbox

LIMITS = Limits(memory_bytes=512 * 1024 * 1024, cpu_seconds=60)

# Doubles that fail: what no sound parser does.
FAULTS = """
import errno, json, os, pathlib, signal, subprocess, sys, tempfile, time
from inbox.errors import CorruptFile

warmed = []

def warm(argument):
    while "until" in argument and not os.path.exists(argument["until"]):
        time.sleep(0.01)
    warmed.append(os.getpid())

def task(data, argument):
    return globals()[argument["do"]](data, argument)

def echo(data, argument):
    return {"data": data.decode(), "pid": os.getpid(), "warmed": warmed, "parent": os.getppid()}

def environment(data, argument):
    return dict(os.environ)

def hang(data, argument):
    pathlib.Path(argument["mark"]).write_text(str(os.getpid()))
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    time.sleep(1000)

def spin(data, argument):
    while True:
        pass

def hog(data, argument):
    return len(bytearray(4 * 1024 ** 3))

def fault(data, argument):
    os.kill(os.getpid(), signal.SIGSEGV)

def leave(data, argument):
    os._exit(0)

def full(data, argument):
    raise OSError(errno.ENOSPC, "secret words")

def bug(data, argument):
    raise KeyError("secret words")

def corrupt(data, argument):
    raise CorruptFile("It is broken.")

def litter(data, argument):
    handle, path = tempfile.mkstemp()
    os.write(handle, b"x")
    return path

def big(data, argument):
    return "x" * argument["size"]

def write_much(data, argument):
    with tempfile.TemporaryFile() as file:
        for _ in range(100):
            file.write(bytes(1024 * 1024))

def connect(data, argument):
    import socket
    try:
        with socket.create_connection(("127.0.0.1", argument["port"]), timeout=5):
            return "connected"
    except OSError as error:
        return type(error).__name__

def connect_from_a_program(data, argument):
    program = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"
    command = [sys.executable, "-c", program, str(argument["port"])]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode

def connect_to_a_file(data, argument):
    import socket
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.connect(argument["path"])
            return "connected"
    except OSError as error:
        return type(error).__name__

def noise(data, argument):
    print("words of the document", flush=True)
    os.write(2, b"words of the document")
"""


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the module of failing doubles, on the path of zygotes."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "inbox_faults.py").write_text(FAULTS)
    with pytest.MonkeyPatch.context() as patch:
        path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        patch.setenv("PYTHONPATH", os.pathsep.join(path))
        patch.setenv("INBOX_SECRET", "top secret")
        yield folder


@pytest.fixture(scope="module")
def sandbox(faults: Path) -> Iterator[Sandbox]:
    """A sandbox whose tasks are the doubles."""
    with Sandbox("inbox_faults:task", "inbox_faults:warm", {}, {"GIVEN": "yes"}) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that says hello."""
    path = tmp_path / "file"
    path.write_text("hello")
    return path


def gone(pid: int) -> bool:
    """Whether the process is over; waits for what is already on its way."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(60)
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def wait_for(mark: Path) -> int:
    """The number that a child writes once it runs."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(mark.read_text())
        threading.Event().wait(0.01)
    raise AssertionError("the child never ran")


def run(sandbox: Sandbox, file: Path, do: str, **argument: object) -> Any:
    """One call with the usual limits."""
    return sandbox.run(file, {"do": do, **argument}, limits=LIMITS, seconds=120)


def test_a_call_runs_in_another_process(sandbox: Sandbox, file: Path) -> None:
    """The task gets the bytes of the file, and not in this process."""
    answer = run(sandbox, file, "echo")
    assert answer["data"] == "hello"
    assert answer["pid"] != os.getpid()
    assert run(sandbox, file, "echo")["pid"] != answer["pid"]


def test_no_secret_is_in_the_environment(sandbox: Sandbox, file: Path) -> None:
    """The child sees what it is given and what a program needs to start, and nothing else."""
    seen = run(sandbox, file, "environment")
    assert seen["GIVEN"] == "yes"
    assert not {name for name in seen if name.startswith("INBOX_")}
    assert "HOME" not in seen


def test_large_answers_come_whole(sandbox: Sandbox, file: Path) -> None:
    """An answer larger than any pipe's buffer arrives."""
    assert len(run(sandbox, file, "big", size=5_000_000)) == 5_000_000


def test_calls_from_many_threads_do_not_mix(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each thread gets the answer to its own file."""
    wrong: list[int] = []

    def one(number: int) -> None:
        path = tmp_path / str(number)
        path.write_text(f"file {number}")
        answers = [run(sandbox, path, "echo")["data"] for _ in range(5)]
        wrong.extend(number for answer in answers if answer != f"file {number}")

    threads = [threading.Thread(target=one, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("fault", errors.ReaderCrashed),
        ("hog", errors.ReaderCrashed),
        ("leave", errors.ReaderCrashed),
        ("bug", errors.ReaderCrashed),
        ("full", errors.NoSpace),
        ("corrupt", errors.CorruptFile),
    ],
)
def test_what_goes_wrong_has_a_name(
    sandbox: Sandbox, file: Path, do: str, error: type[errors.InboxError]
) -> None:
    """Every death of a child is an error with a code, without a word of the document."""
    with pytest.raises(error) as caught:
        run(sandbox, file, do)
    assert "secret" not in str(caught.value)
    assert run(sandbox, file, "echo")["data"] == "hello"


def test_a_child_that_hangs_is_stopped_on_the_clock(
    sandbox: Sandbox, file: Path, tmp_path: Path
) -> None:
    """A parser that never returns ends at the limit, with all that it started."""
    mark = tmp_path / "mark"
    limits = LIMITS.model_copy(update={"processes": True})
    for seconds in (1, 4, 16, 64):  # until the machine was fast enough for it to begin
        with pytest.raises(errors.ReadTimeout):
            sandbox.run(file, {"do": "hang", "mark": str(mark)}, limits=limits, seconds=seconds)
        if mark.exists() and mark.read_text():
            break
    pid = int(mark.read_text())
    assert gone(pid)
    helpers = [one for one in psutil.pids() if _group(one) == pid]
    assert all(gone(one) for one in helpers)


def _group(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getpgid(pid)
    return None


def test_a_child_that_spins_is_stopped_by_its_processor_time(sandbox: Sandbox, file: Path) -> None:
    """A parser that computes for ever ends at its limit of processor time."""
    limits = LIMITS.model_copy(update={"cpu_seconds": 1})
    with pytest.raises(errors.ReadTimeout, match="processor"):
        sandbox.run(file, {"do": "spin"}, limits=limits, seconds=300)


def test_a_child_cannot_fill_the_disk(sandbox: Sandbox, file: Path) -> None:
    """Writing more than the limit fails in the child."""
    limits = LIMITS.model_copy(update={"file_bytes": 1024 * 1024})
    with pytest.raises(errors.ReaderCrashed):
        sandbox.run(file, {"do": "write_much"}, limits=limits, seconds=120)


def test_abort_stops_the_child(sandbox: Sandbox, file: Path, tmp_path: Path) -> None:
    """Setting the event ends a call that would last, and its process."""
    abort, mark = threading.Event(), tmp_path / "mark"
    argument = {"do": "hang", "mark": str(mark)}
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(sandbox.run, file, argument, limits=LIMITS, seconds=900, abort=abort)
        pid = wait_for(mark)
        abort.set()
        with pytest.raises(errors.JobCancelled):
            call.result(120)
    assert gone(pid)


def test_temporary_files_of_a_child_are_removed(sandbox: Sandbox, file: Path) -> None:
    """What a parser leaves in the temporary folder goes with it."""
    path = Path(str(run(sandbox, file, "litter")))
    assert path.parent != Path(tempfile.gettempdir())
    assert not path.exists()


def test_a_child_has_no_voice(
    sandbox: Sandbox, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a parser prints never reaches the worker's output."""
    run(sandbox, file, "noise")
    out, err = capfd.readouterr()
    assert "words" not in out + err


def test_a_killed_zygote_is_replaced(faults: Path, file: Path) -> None:
    """After kill -9 of the zygote the next call works."""
    with Sandbox("inbox_faults:task", "inbox_faults:warm", {}, {}) as sandbox:
        run(sandbox, file, "echo")
        zygote = _newest_zygote(os.getpid())
        zygote.kill()
        assert gone(zygote.pid)
        assert run(sandbox, file, "echo")["data"] == "hello"


def _newest_zygote(parent: int) -> psutil.Process:
    return children(parent, "inbox.extract.sandbox.zygote")[-1]


def test_closing_ends_the_processes_and_removes_the_folder(faults: Path, file: Path) -> None:
    """After close no process and no temporary file is left, and calls fail."""
    sandbox = Sandbox("inbox_faults:task", "inbox_faults:warm", {}, {})
    scratch = Path(str(run(sandbox, file, "litter"))).parent.parent
    zygote = _newest_zygote(os.getpid())
    assert scratch.exists()
    sandbox.close()
    sandbox.close()
    assert gone(zygote.pid)
    assert not scratch.exists()
    with pytest.raises(errors.ReaderCrashed):
        run(sandbox, file, "echo")


def test_a_zygote_that_cannot_start_is_a_configuration_error(file: Path) -> None:
    """A missing library is said to be one, not blamed on the file."""
    with (
        Sandbox("inbox_missing:task", "inbox_missing:warm", {}, {}) as sandbox,
        pytest.raises(errors.ConfigurationError),
    ):
        run(sandbox, file, "echo")


OWNER = """
import sys
from pathlib import Path
from inbox.extract.sandbox import Limits, Sandbox
limits = Limits(memory_bytes=512 * 1024 * 1024, cpu_seconds=60, processes=True)
sandbox = Sandbox("inbox_faults:task", "inbox_faults:warm", {}, {})
argument = {"do": "hang", "mark": sys.argv[2]}
sandbox.run(Path(sys.argv[1]), argument, limits=limits, seconds=600)
"""


@pytest.mark.parametrize("victim", ["owner", "zygote"])
def test_kill_nine_leaves_no_process(faults: Path, file: Path, tmp_path: Path, victim: str) -> None:
    """Kill -9 of the worker, or of the zygote, leaves no child and no temporary file."""
    mark, temporary = tmp_path / "mark", tmp_path / "tmp"
    temporary.mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(file), str(mark)],
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
    )
    try:
        child = wait_for(mark)
        zygote = _newest_zygote(owner.pid)
        if victim == "zygote":
            mark.unlink()
            zygote.kill()
            assert gone(child)
            child = wait_for(mark)  # tried once more, with a new zygote
            zygote = _newest_zygote(owner.pid)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert gone(zygote.pid)
        assert gone(child)
        assert not list(temporary.iterdir())
    finally:
        owner.kill()
        owner.wait()


def test_a_process_may_be_started_ahead(faults: Path, file: Path, tmp_path: Path) -> None:
    """Starting does not wait for the libraries; the first call does, and uses that process."""
    until = tmp_path / "until"
    with Sandbox("inbox_faults:task", "inbox_faults:warm", {"until": str(until)}, {}) as sandbox:
        sandbox.start()
        sandbox.start()
        zygote = _newest_zygote(os.getpid())
        until.touch()
        assert run(sandbox, file, "echo")["warmed"] == [zygote.pid]


def test_closing_does_not_wait_for_libraries(faults: Path, tmp_path: Path) -> None:
    """A process that is still loading when it is no longer wanted ends nevertheless."""
    never = {"until": str(tmp_path / "never")}
    with Sandbox("inbox_faults:task", "inbox_faults:warm", never, {}) as sandbox:
        sandbox.start()
        zygote = _newest_zygote(os.getpid())
    assert gone(zygote.pid)


def test_a_call_starts_no_interpreter(sandbox: Sandbox, file: Path) -> None:
    """Each child is a fork of the one process that loaded the libraries, once."""
    first, second = run(sandbox, file, "echo"), run(sandbox, file, "echo")
    assert first["warmed"] == second["warmed"] == [first["parent"]] == [second["parent"]]


def can_be_kept_from_the_network() -> bool:
    """Whether this system lets a process give up its network, asked of a process of its own."""
    program = "from inbox.extract.sandbox import network; print(len(network.leave()))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return int(run.stdout) > 0


@pytest.mark.skipif(not can_be_kept_from_the_network(), reason="the system permits no way")
def test_a_child_reaches_no_network(sandbox: Sandbox, file: Path, tmp_path: Path) -> None:
    """Neither a parser, nor a program that it starts, connects to anything, not even here."""
    place = str(tmp_path / "socket")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as local:
        local.bind(place)
        local.listen()
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            listener.accept()[0].close()
        assert sandbox.without_network
        assert run(sandbox, file, "connect", port=port) != "connected"
        limits = LIMITS.model_copy(update={"processes": True})
        argument = {"do": "connect_from_a_program", "port": port}
        assert sandbox.run(file, argument, limits=limits, seconds=120) != 0
        if "filter" in sandbox.without_network:
            assert run(sandbox, file, "connect_to_a_file", path=place) == "PermissionError"
        for one in (listener, local):
            one.setblocking(False)
            with pytest.raises(BlockingIOError):
                one.accept()


@pytest.mark.parametrize("way", ["_leave_namespace", "_refuse_sockets"])
def test_each_way_alone_keeps_the_network_away(way: str) -> None:
    """Where the system permits only one of the two ways, it is enough."""
    program = textwrap.dedent(f"""
        import socket, sys
        from inbox.extract.sandbox import network
        listener = socket.create_server(("127.0.0.1", 0))
        if not network.{way}():
            sys.exit(77)
        try:
            socket.create_connection(listener.getsockname(), 5)
        except OSError:
            sys.exit(0)
        sys.exit(1)
    """)
    code = subprocess.run([sys.executable, "-c", program], check=False).returncode
    if code == 77:
        pytest.skip("the system does not permit it")
    assert code == 0
