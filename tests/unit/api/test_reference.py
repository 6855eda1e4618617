"""The reference among the documents is what the API says of itself."""

from __future__ import annotations

import copy

import pytest
from api_reference import TARGET, described, markdown


def test_the_reference_is_as_the_api_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/api-reference.md is what `make reference` writes."""
    for name in ("INBOX_ALLOW_OPEN", "INBOX_AUTH"):
        monkeypatch.delenv(name, raising=False)
    assert markdown(described()) == TARGET.read_text(), "run: make reference"


def test_a_change_of_the_api_shows() -> None:
    """A parameter, an answer, a field or a word that changes makes another reference."""
    api = described()
    before = markdown(api)
    for change in (
        lambda one: one["paths"]["/jobs"]["get"]["parameters"].pop(),
        lambda one: one["paths"]["/job/{job_id}"]["get"]["responses"].pop("304"),
        lambda one: one["components"]["schemas"]["Job"]["properties"].pop("progress"),
        lambda one: one["components"]["schemas"]["JobStatus"]["enum"].append("lost"),
        lambda one: one["paths"]["/healthz"]["get"].update(description="x"),
    ):
        changed = copy.deepcopy(api)
        change(changed)
        assert markdown(changed) != before
