"""Settings: what contradicts itself is refused, and the documentation is what is built."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from inbox.settings import Settings, describe

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_documentation_lists_every_setting() -> None:
    """docs/settings.md is what `inbox settings` prints."""
    assert describe() in DOCUMENTATION.read_text()


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"lease_seconds": 5, "heartbeat_seconds": 3}, "INBOX_LEASE_SECONDS"),
        ({"max_file_bytes": 10, "max_job_bytes": 9}, "INBOX_MAX_FILE_BYTES"),
        ({"classifier": "llm"}, "OPENAI_API_KEY"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    values: dict[str, object], complaint: str
) -> None:
    """The error names the variables."""
    with pytest.raises(ValidationError, match=complaint):
        Settings(_env_file=None, **values)  # type: ignore[arg-type]


def test_a_model_is_used_only_where_one_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key or a base URL is enough, and the lexicon can be asked for all the same."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "INBOX_CLASSIFIER"):
        monkeypatch.delenv(name, raising=False)
    assert not Settings(_env_file=None).uses_model
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert Settings(_env_file=None).uses_model
    monkeypatch.setenv("INBOX_CLASSIFIER", "lexicon")
    assert not Settings(_env_file=None).uses_model
