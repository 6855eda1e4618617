"""One Postgres server, started, watched and stopped by its owner."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psutil

from inbox.embedded import binaries, process
from inbox.embedded.cluster import SUPERUSER, Cluster, data_argument
from inbox.embedded.leftovers import STOP_SECONDS, end_leftovers, read_pid, works_in
from inbox.errors import ConfigurationError

HOST = "127.0.0.1"
FOLDER = "postgres"
START_SECONDS = 300  # a long recovery after a crash is not a failure
PORT_SECONDS = 10
LOG_BYTES = 4 * 1024 * 1024
OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path may have 107 bytes, a data folder's has more
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_parallel_workers_per_gather": "0",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # The log may be read by more people than the rows: no statement, no value of a row.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class EmbeddedPostgres:
    """A Postgres server of our own, a context manager.

    It runs as long as this object's process: a clean exit, an exception and SIGKILL all end it.
    Root runs it as the owner of the data, nobody by default. Committed rows survive any of this.

    Args:
        data_dir: the cluster, its password and its log go to the folder `postgres` in here.
        bin_dir: folder of `initdb` and `postgres` to use instead of the wheel's.
        port: port on 127.0.0.1; 0 for a free one.
    """

    def __init__(self, data_dir: Path, *, bin_dir: Path | None = None, port: int = 0) -> None:
        self._cluster = Cluster(data_dir / FOLDER)
        self._bin_dir = bin_dir
        self._wanted_port = port
        self._port = 0
        self._binaries: binaries.Binaries | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._forker: ThreadPoolExecutor | None = None
        self._owner = 0
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the first start."""
        return self._port

    def url(self, database: str) -> str:
        """A postgresql:// URL of a database, with the password.

        Raises:
            ConfigurationError: the server was never started.
        """
        if not self._port:
            raise ConfigurationError("The embedded Postgres is not running.")
        return _url(self._cluster, self._port, database)

    def start(self) -> None:
        """Start the server, and make the cluster first where there is none.

        Raises:
            ConfigurationError: another process owns the folder, or Postgres does not start.
        """
        with self._turn:
            if self._owner:
                raise ConfigurationError("The embedded Postgres was started already.")
            self._cluster.lock()
            self._owner = os.getpid()
            # The kernel stops Postgres when the thread that forked it ends, so that thread is
            # one of our own that lives until stop() or the end of this process.
            self._forker = ThreadPoolExecutor(1, thread_name_prefix="embedded-postgres")
            try:
                self._binaries = binaries.find(self._bin_dir, self._cluster.account)
                self._cluster.create(self._binaries)
                self._launch()
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Stop the server and let go of the folder; harmless where nothing runs.

        Open transactions are rolled back. What has not stopped after 10 seconds is cut off;
        the next start then recovers, with nothing committed lost.
        """
        with self._turn:
            if self._owner != os.getpid():  # not started, or the owner's copy in a forked child
                return
            self._cluster.notice.unlink(missing_ok=True)
            self._end_process()
            if self._forker is not None:
                self._forker.shutdown()
                self._forker = None
            self._cluster.unlock()
            self._owner = 0

    def ensure_running(self) -> bool:
        """Start the server again, on the same port, if it has died; call this every second or so.

        Returns:
            Whether it had died.

        Raises:
            ConfigurationError: `start` was not called, or Postgres does not start any more.
        """
        with self._turn:
            if self._owner != os.getpid() or self._process is None:
                raise ConfigurationError("The embedded Postgres is not running.")
            self._bound_log()
            if self._process.poll() is None:
                return False
            self._cluster.notice.unlink(missing_ok=True)
            self._launch()
            return True

    def ensure_database(self, name: str) -> None:
        """Create a database unless it is there.

        Raises:
            ConfigurationError: the server is not running, or does not allow it.
        """
        import psycopg
        from psycopg import sql

        try:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                found = connection.execute("select 1 from pg_database where datname = %s", [name])
                if found.fetchone() is None:
                    create = sql.SQL("create database {}").format(sql.Identifier(name))
                    connection.execute(create)
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # somebody else was faster
        except psycopg.Error as error:
            raise ConfigurationError(f"No database could be created: {error.sqlstate}") from None

    def _launch(self) -> None:
        """Start the server on the port it had, on the wanted one, or on a free one."""
        deadline = time.monotonic() + PORT_SECONDS
        while True:
            end_leftovers(self._cluster.data)
            self._bound_log()
            port = self._port or self._wanted_port or _free_port()
            failure = self._try_port(port)
            if failure is None:
                self._port = port
                self._announce()
                return
            if "could not create any TCP/IP sockets" not in failure or time.monotonic() > deadline:
                raise ConfigurationError(f"The embedded Postgres does not start: {failure}")
            time.sleep(0.1)

    def _try_port(self, port: int) -> str | None:
        """Start the server; None when it is ready, else why it is not."""
        if self._forker is None or self._binaries is None:
            raise ConfigurationError("The embedded Postgres is not running.")
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        if self._binaries.major >= 18:  # noqa: PLR2004 - where the option came in
            options.append("--io_method=sync")  # three processes fewer
        data = self._cluster.data
        program = [str(self._binaries.folder / "postgres"), "-D", data_argument(data)]
        program += ["-p", str(port), *options]
        log = self._cluster.open_private("postgres.log", os.O_RDWR | os.O_APPEND)
        with os.fdopen(log, "r+b", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            self._process = self._forker.submit(
                process.start, self._cluster.account, program, folder=data, log=file
            ).result()
            deadline = time.monotonic() + START_SECONDS
            while time.monotonic() < deadline and self._process.poll() is None:
                if self._ready():
                    return None
                time.sleep(0.01)
            self._end_process()
            file.seek(before)
            said = file.read().decode(errors="replace").splitlines()
        reasons = [line.partition(":  ")[2] for line in said if "FATAL:  " in line]
        return reasons[-1][:300] if reasons else "no reason given; its log may say more"

    def _ready(self) -> bool:
        """Whether the pid file is of our process and says so."""
        try:
            lines = self._cluster.pid_file.read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        if self._process is None or len(lines) < 8:  # noqa: PLR2004 - the eighth is the state
            return False
        return lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _end_process(self) -> None:
        if self._process is None:
            return
        for farewell in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self._process.send_signal(farewell)  # does nothing where the process has ended
            try:
                self._process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def _announce(self) -> None:
        """Write down where the server is, for `running_url`."""
        pid = read_pid(self._cluster.pid_file)
        half = self._cluster.open_private("postgres.json.new", os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(half, "w", encoding="ascii") as file:
            json.dump({"pid": pid, "port": self._port}, file)
        (self._cluster.folder / "postgres.json.new").replace(self._cluster.notice)

    def _bound_log(self) -> None:
        """Keep the log, and one older part of it, under `LOG_BYTES` each."""
        log = self._cluster.log
        if log.exists() and log.stat().st_size > LOG_BYTES:
            older = self._cluster.open_private("postgres.log.1", os.O_WRONLY | os.O_TRUNC)
            with log.open("rb") as source, os.fdopen(older, "wb") as target:
                shutil.copyfileobj(source, target)
            os.truncate(log, 0)  # the server appends, so it goes on at the start


def running_url(data_dir: Path, database: str) -> str | None:
    """The URL of a database of the server that some process keeps running on `data_dir`.

    None where no server runs; what a killed one left behind does not count.
    """
    cluster = Cluster(data_dir / FOLDER)
    try:
        notice = json.loads(cluster.notice.read_text(encoding="ascii"))
        pid, port = int(notice["pid"]), int(notice["port"])
        alive = works_in(psutil.Process(pid), cluster.data)
        if not alive or not _answers(port):
            return None
        return _url(cluster, port, database)
    except (OSError, ValueError, KeyError, TypeError, psutil.Error, ConfigurationError):
        return None


def _url(cluster: Cluster, port: int, database: str) -> str:
    secret = quote(cluster.password, safe="")
    return f"postgresql://{SUPERUSER}:{secret}@{HOST}:{port}/{quote(database, safe='')}"


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=2):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
