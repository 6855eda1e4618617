"""The application without a database."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from inbox import errors
from inbox.api import check_address, create_app
from inbox.api.estimate import estimate_seconds
from inbox.api.problems import status_of
from inbox.errors import ConfigurationError, InboxError
from inbox.settings import Settings


def settings(**values: object) -> Settings:
    """Settings that depend on nothing outside."""
    return Settings.model_validate({"classifier": "lexicon", **values})


def every_error(kind: type[InboxError] = InboxError) -> Iterator[type[InboxError]]:
    """The whole tree."""
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


def test_every_error_has_a_status() -> None:
    """The caller's faults, the file's, and what is not offered here are 4xx, ours are 5xx."""
    for kind in every_error():
        asked = (errors.RequestError, errors.PermanentError, errors.SecretKeyMissing)
        expected = 4 if issubclass(kind, asked) else 5
        assert status_of(kind) // 100 == expected, kind


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_an_address_of_this_machine_is_fine(host: str) -> None:
    """Only this machine can reach it."""
    check_address(settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "inbox.example", ""])
def test_an_open_address_must_be_meant(host: str) -> None:
    """The API asks nobody who they are, so being reachable takes a setting that says so."""
    with pytest.raises(ConfigurationError, match="INBOX_ALLOW_OPEN"):
        check_address(settings(host=host))
    check_address(settings(host=host, allow_open=True))


def test_the_description_is_complete() -> None:
    """OpenAPI shows the form's fields, the answer, and every refusal with an example."""
    described = create_app(settings()).openapi()
    submit = described["paths"]["/classify-documents-async"]["post"]
    form = submit["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"files", "labels", "options", "passwords"} <= set(form["properties"])
    assert {"202", "408", "413", "415", "422", "503", "507"} <= set(submit["responses"])
    too_large = submit["responses"]["413"]["content"]["application/problem+json"]
    assert set(too_large["examples"]) == {"too_many_files", "file_too_large", "job_too_large"}
    example = too_large["examples"]["file_too_large"]["value"]
    assert (example["status"], example["type"]) == (413, "/problems/file_too_large")
    assert example["detail"] == "One file has more bytes than allowed."
    assert "404" in described["paths"]["/job/{job_id}"]["get"]["responses"]
    assert "HTTPValidationError" not in json.dumps(described["paths"])


def test_the_estimate_grows_with_the_work() -> None:
    """More files, more bytes and more work ahead take longer; more hands take less."""
    one = estimate_seconds(1, 1000, 0, 2)
    assert 1 <= one < estimate_seconds(50, 50_000_000, 0, 2)
    assert estimate_seconds(50, 50_000_000, 0, 8) < estimate_seconds(50, 50_000_000, 0, 2)
    assert one < estimate_seconds(1, 1000, 100, 2)
