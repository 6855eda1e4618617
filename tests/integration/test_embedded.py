"""The embedded Postgres: real servers from the wheel, killed for real."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import threading
from pathlib import Path

import processes
import psutil
import psycopg
import pytest
from postgres_owner import ROOT, Owner, family, main_process, query, shared_memory_of, works

from inbox.embedded import EmbeddedPostgres, leftovers, running_url, server
from inbox.errors import ConfigurationError


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
