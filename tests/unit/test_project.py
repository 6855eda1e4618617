"""Which keys open a Supabase project, and which settings choose it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from inbox.errors import ConfigurationError
from inbox.opened import address, database_url
from inbox.project import KeyKind, key_kind, open_project
from inbox.settings import Settings

VARIABLES = ("DATABASE_URL", "SUPABASE_URL", "SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY")
URL = "https://abc.supabase.co"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"INBOX_{name}", raising=False)


def _token(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.signature"


def _settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("sb_secret_abc", KeyKind.SECRET),
        ("sb_publishable_abc", KeyKind.PUBLISHABLE),
        (_token(role="service_role", exp=4_000_000_000), KeyKind.SERVICE_ROLE),
        (_token(role="service_role"), KeyKind.SERVICE_ROLE),
        (_token(role="service_role", exp=1_000_000_000), KeyKind.EXPIRED),
        (_token(role="anon", exp=4_000_000_000), KeyKind.ANON),
        (_token(role="authenticated", sub="x"), KeyKind.USER),
        (_token(iss="somebody"), KeyKind.UNKNOWN),
        ("a.b.c", KeyKind.UNKNOWN),
        ("password", KeyKind.UNKNOWN),
        ("", KeyKind.UNKNOWN),
    ],
)
def test_keys_are_told_apart(key: str, kind: KeyKind) -> None:
    """Both generations, and what is not a key at all."""
    assert key_kind(key) == kind


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sb_publishable_abc", "browsers"),
        (_token(role="anon"), "browsers"),
        (_token(role="authenticated"), "browsers"),
        (_token(role="service_role", exp=1), "expired"),
        ("password", "neither"),
        (None, "without a key"),
    ],
)
def test_a_key_that_cannot_work_is_refused_at_once(key: str | None, words: str) -> None:
    """The sentence names the variable, and never holds the key."""
    chosen = _settings(supabase_url=URL, supabase_secret_key=key and SecretStr(key))
    with pytest.raises(ConfigurationError, match=words) as caught:
        open_project(chosen)
    assert "SUPABASE_SECRET_KEY" in str(caught.value)
    assert key is None or key not in str(caught.value)


@pytest.mark.parametrize("url", ["abc.supabase.co", "postgresql://a@b/c", "https://", "ftp://x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """A connection string goes elsewhere."""
    chosen = _settings(supabase_url=url, supabase_secret_key=SecretStr("sb_secret_x"))
    with pytest.raises(ConfigurationError, match="SUPABASE_URL"):
        open_project(chosen)


def test_a_project_does_not_show_its_key() -> None:
    """Not even in a traceback's repr."""
    chosen = _settings(supabase_url=URL + "/", supabase_secret_key=SecretStr("sb_secret_x"))
    project = open_project(chosen)
    assert project.url == URL
    assert "sb_secret_x" not in repr(project)


def test_the_new_name_of_the_key_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The older variable serves where the newer one is not set."""
    monkeypatch.setenv("SUPABASE_URL", URL)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "old")
    assert _settings().supabase_secret_key == SecretStr("old")
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "new")
    assert _settings().supabase_secret_key == SecretStr("new")
    assert _settings().uses_supabase


def test_a_database_url_comes_before_a_project(tmp_path: Path) -> None:
    """Who names a database means it; the project's address alone means the project."""
    both = _settings(
        supabase_url=URL,
        supabase_secret_key=SecretStr("sb_secret_x"),
        database_url=SecretStr("postgresql://x"),
        data_dir=tmp_path,
    )
    assert not both.uses_supabase
    assert address(both) == "postgresql://x"
    alone = both.model_copy(update={"database_url": None})
    assert alone.uses_supabase
    assert address(alone) is None
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        database_url(alone)
