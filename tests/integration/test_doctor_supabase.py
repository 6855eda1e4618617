"""What `inbox doctor --supabase` says of a project, and of one with something wrong."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest
from local_project import LocalProject
from pydantic import SecretStr

from inbox.cli.checks import Check, run_checks
from inbox.settings import Settings

NAMES = ["url", "key", "migrations", "bucket", "realtime", "clock", "latency"]


def checked(settings: Settings) -> dict[str, Check]:
    """The lines by name, without the word supabase."""
    quick = settings.model_copy(update={"ocr_engine": "none"})
    found = run_checks(quick, model=False, supabase=True)
    return {check.name.removeprefix("supabase "): check for check in found}


def test_a_sound_project_has_seven_good_lines(project: LocalProject, tmp_path: Path) -> None:
    """And the bucket is written to and read; no database of ours is asked for."""
    lines = checked(project.settings(data_dir=tmp_path))
    assert list(lines) == ["python", *NAMES, "jobs", "blobs", "reading", "classifier"]
    assert [name for name, check in lines.items() if not check.ok] == []
    assert lines["key"].found == "secret, role service_role"
    assert not [check for check in lines.values() if check.remedy]
    assert project.storage.blobs == {}


def test_an_old_key_works_and_is_mentioned(project: LocalProject) -> None:
    """It has an end."""
    old = SecretStr(project.old_keys["service_role"])
    settings = project.settings(supabase_secret_key=old)
    line = checked(settings)["key"]
    assert line.ok
    assert "sb_secret_" in line.remedy


@pytest.mark.parametrize(
    ("damage", "name", "remedy"),
    [
        ("update storage.buckets set public = true", "bucket", "private"),
        ("delete from storage.buckets", "bucket", "make a private bucket"),
        ("alter publication supabase_realtime drop table inbox_files", "realtime", "inbox_files"),
        (
            "delete from supabase_migrations.schema_migrations where version like '%2'",
            "migrations",
            "supabase db push",
        ),
    ],
)
def test_each_fault_has_its_line_and_its_remedy(
    project: LocalProject, project_url: str, damage: str, name: str, remedy: str
) -> None:
    """One line is bad, and says what to do; what stops at older tables says so, too."""
    with psycopg.connect(project_url, autocommit=True) as connection:
        connection.execute(damage.encode())
    lines = checked(project.settings())
    bad = {key for key, check in lines.items() if not check.ok}
    assert bad - {"blobs"} == ({name, "jobs"} if name == "migrations" else {name})
    assert remedy in lines[name].remedy


def test_a_wrong_clock_is_noticed(project: LocalProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens and leases are dated."""
    real = time.time
    monkeypatch.setattr("inbox.cli.project_checks.time.time", lambda: real() + 60)
    line = checked(project.settings())["clock"]
    assert not line.ok
    assert "NTP" in line.remedy


def test_a_wrong_key_is_one_sentence(project: LocalProject) -> None:
    """That names the variable and not the key."""
    settings = project.settings(supabase_secret_key=SecretStr("sb_secret_nobodys"))
    line = checked(settings)["key"]
    assert not line.ok
    assert "SUPABASE_SECRET_KEY" in line.remedy
    assert "nobodys" not in str(line)


def test_without_a_project_it_says_so(tmp_path: Path) -> None:
    """Where it was asked for."""
    settings = Settings(_env_file=None, data_dir=tmp_path, supabase_url=None)
    line = checked(settings)["url"]
    assert (line.ok, line.remedy) == (False, "set SUPABASE_URL")
