"""Passwords on their way to the worker."""

from __future__ import annotations

import stat
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr, ValidationError

from inbox.errors import ConfigurationError, InvalidRequest
from inbox.sealing import KEY_FILE, MAX_PASSWORDS, checked, seal, unseal
from inbox.settings import Settings

OLD, NEW = "o" * 32, "n" * 40
JOB = uuid4()


def with_key(key: str | None, folder: Path = Path("/nowhere"), **more: object) -> Settings:
    """Settings with this key."""
    return Settings(_env_file=None, data_dir=folder, secret_key=key, **more)


def test_what_is_sealed_opens_for_its_job_only() -> None:
    """Not for another job, not with another key, and never the same twice."""
    sealed = seal(with_key(OLD), JOB, ["sesame", "Köln"])
    assert unseal(with_key(OLD), JOB, sealed) == ("sesame", "Köln")
    assert sealed != seal(with_key(OLD), JOB, ["sesame", "Köln"])
    assert "sesame" not in sealed
    for settings, job_id in ((with_key(OLD), uuid4()), (with_key(NEW), JOB)):
        with pytest.raises(ConfigurationError):
            unseal(settings, job_id, sealed)


def test_a_key_can_be_changed() -> None:
    """The first seals, all open: the old one stays until the jobs of its time are over."""
    sealed = seal(with_key(OLD), JOB, ["x"])
    both = with_key(f"{NEW}, {OLD}")
    assert unseal(both, JOB, sealed) == ("x",)
    assert unseal(with_key(NEW), JOB, seal(both, JOB, ["y"])) == ("y",)


def test_the_embedded_installation_makes_its_own_key(tmp_path: Path) -> None:
    """Once, for its owner only; a worker that finds none does not make another."""
    settings = with_key(None, tmp_path / "data")
    with pytest.raises(ConfigurationError):
        unseal(settings, JOB, "1.eHh4eHh4eHh4eHh4eHh4eHh4eHg=")
    sealed = seal(settings, JOB, ["x"])
    path = tmp_path / "data" / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert unseal(settings, JOB, seal(settings, JOB, ["y"])) == ("y",)
    assert unseal(settings, JOB, sealed) == ("x",)
    assert [one.name for one in path.parent.iterdir()] == [KEY_FILE]


def test_where_several_machines_may_work_a_key_is_wanted() -> None:
    """Each would make its own, and none could open what another sealed."""
    for place in (
        {"database_url": SecretStr("postgresql://elsewhere/x")},
        {"supabase_url": "https://x.example.org", "supabase_secret_key": SecretStr("x")},
    ):
        with pytest.raises(ConfigurationError, match="INBOX_SECRET_KEY"):
            seal(with_key(None, **place), JOB, ["x"])


def test_a_short_key_is_refused() -> None:
    """One that could be guessed is none."""
    with pytest.raises(ValidationError, match="32 characters"):
        with_key(f"{NEW},short")


@pytest.mark.parametrize("passwords", [["x" * 257], [""], ["a\0b"], list(map(str, range(21)))])
def test_passwords_have_bounds(passwords: list[str]) -> None:
    """And what is said of a bad one does not repeat it."""
    with pytest.raises(InvalidRequest) as caught:
        checked(passwords)
    assert "xxx" not in str(caught.value)
    assert checked(["a", "b", "a"]) == ("a", "b")
    assert len(checked([str(n) for n in range(MAX_PASSWORDS)])) == MAX_PASSWORDS
