"""Starts the parts in order, watches them, stops them in reverse."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from inbox.embedded import EmbeddedPostgres
from inbox.errors import ConfigurationError
from inbox.opened import DATABASE
from inbox.sealing import key_of_folder
from inbox.settings import Settings
from inbox.store import migrate
from inbox.up.process import Process, end_strays

PREFECT_DATABASE = "prefect"
START_SECONDS = 180
STOP_SECONDS = 4
WORKER_STOP_SECONDS = 9  # more than its runs are given to hand their jobs back
DEPLOY = [sys.executable, "-m", "deployments.deploy"]
# A worker of a pool of type process ends its runs with SIGKILL, so they are told to stop before
# it; one of type prefork gives them time itself.
FLOW_RUN = "prefect.engine"
RESTARTS = 5  # of one part, before the whole is given up
HEALTHY_SECONDS = 60  # a part that ran this long starts counting anew


@dataclass
class Part:
    """A program that is kept running."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: Process
    started_at: float
    restarts: int = 0


class Stack:
    """Everything on one machine, on loopback; a context manager.

    Args:
        settings: see `Settings`.
        say: told one line per event.
        api_port: port of the API, 0 for a free one.
        prefect_port: port of Prefect's server, 0 for a free one.
        environment: more variables for the programs that are started.

    Raises:
        ConfigurationError: a part does not start; the message holds the end of its output.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        api_port: int,
        prefect_port: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._say = say
        self._api_port = _free_port(settings.host, api_port)
        self._prefect_port = _free_port("127.0.0.1", prefect_port)
        self._more = dict(environment or {})
        self._closing = ExitStack()
        self._postgres: EmbeddedPostgres | None = None
        self._parts: list[Part] = []
        self._home = settings.data_dir.absolute()
        self._temporary = self._home / "tmp"
        self.database_url = ""

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        return f"http://{self._settings.host}:{self._api_port}"

    @property
    def prefect_url(self) -> str:
        """Where Prefect's pages are."""
        return f"http://127.0.0.1:{self._prefect_port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything; returns when jobs can be submitted."""
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        prefect_database = self._start_postgres()
        # From here on nobody else uses this folder; a stack that was killed may have left these.
        end_strays(self._temporary, STOP_SECONDS)
        shutil.rmtree(self._temporary, ignore_errors=True)
        for folder in (self._home / "logs", self._temporary):
            folder.mkdir(exist_ok=True, mode=0o700)
        if self.database_url:
            applied = migrate(self.database_url)
            self._say(f"database is up to date ({len(applied)} migrations applied)")
        self._start_prefect(prefect_database)
        self._deploy()
        self._run("worker", *worker_command())
        self._run("api", sys.executable, "-m", "inbox.cli", "api")
        self._wait_for("api", f"{self.api_url}/healthz")

    def stop(self) -> None:
        """Stop everything, last started first."""
        for part in reversed(self._parts):
            if part.name == "worker":
                part.process.stop(WORKER_STOP_SECONDS, first=FLOW_RUN)
                end_strays(self._temporary, STOP_SECONDS)
            else:
                part.process.stop(STOP_SECONDS)
            self._say(f"{part.name} stopped")
        self._parts.clear()
        self._closing.close()
        if self._postgres is not None:
            self._say("postgres stopped")
        self._postgres = None

    def watch(self) -> None:
        """Restart what has died.

        Raises:
            ConfigurationError: a part dies again and again.
        """
        if self._postgres is not None and self._postgres.ensure_running():
            self._say("postgres had died and was started again")
        for part in self._parts:
            code = part.process.exit_code()
            if code is None:
                continue
            if time.monotonic() - part.started_at > HEALTHY_SECONDS:
                part.restarts = 0
            part.restarts += 1
            if part.restarts > RESTARTS:
                raise self._failed(part.name, part.process)
            part.process.stop(STOP_SECONDS)  # what it had started
            part.process = self._spawn(part.name, part.command, part.environment)
            part.started_at = time.monotonic()
            self._say(f"{part.name} had died (exit code {code}) and was started again")
            if part.name == "worker":
                self._dispatch_now()

    # -- the parts ------------------------------------------------------------------

    def _start_postgres(self) -> str:
        """Start Postgres; the URL of the database for Prefect, which is always the embedded one."""
        self._postgres = EmbeddedPostgres(self._home, bin_dir=self._settings.pg_bin_dir)
        self._closing.enter_context(self._postgres)
        self._postgres.ensure_database(PREFECT_DATABASE)
        self._say(f"postgres runs, data in {self._home}")
        if self._settings.database_url is not None:
            self.database_url = self._settings.database_url.get_secret_value()
            self._say("the jobs are in the database of DATABASE_URL")
        elif self._settings.uses_supabase:
            self._say("the jobs are in the Supabase project of SUPABASE_URL")
        else:
            self._postgres.ensure_database(DATABASE)
            self.database_url = self._postgres.url(DATABASE)
        return self._postgres.url(PREFECT_DATABASE)

    @property
    def _owns_the_jobs(self) -> bool:
        """Whether the jobs are in the embedded database."""
        return self._settings.database_url is None and not self._settings.uses_supabase

    def _start_prefect(self, database: str) -> None:
        extra = prefect_server_environment()
        url = database.replace("postgresql://", "postgresql+asyncpg://", 1)
        extra["PREFECT_API_DATABASE_CONNECTION_URL"] = url
        command = [sys.executable, "-m", "prefect", "server", "start"]
        command += ["--host", "127.0.0.1", "--port", str(self._prefect_port)]
        self._run("prefect", *command, **extra)
        self._wait_for("prefect", f"{self.prefect_url}/api/health")

    def _deploy(self) -> None:
        process = self._spawn("deploy", [*DEPLOY, "--close-stale"], self._environment())
        until = time.monotonic() + START_SECONDS
        while (code := process.exit_code()) is None and time.monotonic() < until:
            time.sleep(0.05)
        if code != 0:
            process.stop(0)
            raise self._failed("deploy", process)
        kind = httpx.get(f"{self.prefect_url}/api/work_pools/inbox", trust_env=False).json()["type"]
        self._say(f"process-job and dispatch are deployed on the work pool inbox, type {kind}")

    def _dispatch_now(self) -> None:
        """Start a dispatch run, as the one that ran may have died with its worker."""
        with (
            suppress(httpx.HTTPError),
            httpx.Client(
                base_url=f"{self.prefect_url}/api/", timeout=10, trust_env=False
            ) as client,
        ):
            deployment = client.get("deployments/name/dispatch/dispatch").raise_for_status().json()
            client.post(f"deployments/{deployment['id']}/create_flow_run", json={})

    def _environment(self, **extra: str) -> dict[str, str]:
        ours = {
            "INBOX_DATA_DIR": str(self._home),
            "INBOX_BLOBS_DIR": str(self._settings.blobs_folder.absolute()),
            "INBOX_PORT": str(self._api_port),
            "PREFECT_API_URL": f"{self.prefect_url}/api",
            # Prefect's worker wants a folder of a fixed name in here, which on a machine with
            # several users belongs to whoever came first.
            "TMPDIR": str(self._temporary),
        }
        if self.database_url:
            ours["INBOX_DATABASE_URL"] = self.database_url
        if self._owns_the_jobs and self._settings.secret_key is None:
            # The programs are told of a database, so they look for no key in the folder.
            ours["INBOX_SECRET_KEY"] = key_of_folder(self._home, make=True)
        theirs = {name: value for name, value in os.environ.items() if not _foreign(name)}
        return prefect_environment(self._home) | theirs | self._more | ours | extra

    def _run(self, name: str, *command: str, **extra: str) -> None:
        environment = self._environment(**extra)
        process = self._spawn(name, list(command), environment)
        self._parts.append(Part(name, list(command), environment, process, time.monotonic()))

    def _spawn(self, name: str, command: list[str], environment: Mapping[str, str]) -> Process:
        return Process(name, command, environment, self._home / "logs" / f"{name}.log")

    def _wait_for(self, name: str, url: str) -> None:
        part = self._parts[-1]
        until = time.monotonic() + START_SECONDS
        with httpx.Client(timeout=2, trust_env=False) as client:
            while time.monotonic() < until and part.process.exit_code() is None:
                try:
                    if client.get(url).is_success:
                        self._say(f"{name} answers on {url.rpartition('/')[0]}")
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.1)
        raise self._failed(name, part.process)

    def _failed(self, name: str, process: Process) -> ConfigurationError:
        return ConfigurationError(
            f"{name} does not run (exit code {process.exit_code()}); the end of {process.log}:\n"
            f"{process.last_lines()}"
        )


def prefect_environment(home: Path) -> dict[str, str]:
    """Prefect's client settings for a stack of its own, apart from the user's Prefect."""
    return {
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_LOGGING_COLORS": "false",
        # Not a line for each task that went well; its state says so.
        "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Requests that each client would begin with: client and server are of one version, and
        # the server asks for no CSRF token.
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        # Events wake the worker; this is the net below.
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }


def prefect_server_environment() -> dict[str, str]:
    """Settings of Prefect's server under which a run every minute stays cheap.

    Few runs are made ahead, so that a pause without a worker leaves few late ones; old runs
    are removed; slots that died with the server are taken back; what tasks tell is written once
    a second, and not in three transactions for each; connections to the database stay open.
    """
    return {
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "2",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "3",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT1M",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "604800",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "12",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
    }


def _foreign(name: str) -> bool:
    """Whether a variable points to the user's own Prefect, which is left alone."""
    return name.startswith(("PREFECT_API_", "PREFECT_PROFILE", "PREFECT_HOME"))


def worker_command() -> list[str]:
    """The worker of the pool that the deployments are registered in; the pool says which type."""
    return [sys.executable, "-m", "prefect", "worker", "start", "--pool", "inbox"]


def log_environment(settings: Settings) -> dict[str, str]:
    """Variables by which Prefect's programs write their logs as the settings say."""
    if settings.log_format == "text":
        return {}
    return {"PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json"}


def run_worker(settings: Settings) -> None:
    """Register the deployments, then become a worker; does not return.

    Args:
        settings: how its log and that of its runs are written.

    Raises:
        ConfigurationError: the deployments cannot be registered.
    """
    if subprocess.run(DEPLOY, check=False).returncode:  # noqa: S603 - our own program
        raise ConfigurationError(
            "the deployments cannot be registered; PREFECT_API_URL must name a Prefect server"
        )
    command = worker_command()
    environment = os.environ | log_environment(settings)
    os.execve(command[0], command, environment)  # noqa: S606 - our own program


def _free_port(host: str, wanted: int) -> int:
    """`wanted` if it is free, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ConfigurationError(f"no port is free on {host}")
