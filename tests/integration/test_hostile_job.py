"""Hostile files in a real job: each ends with its code, and costs the others nothing."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from fastapi.testclient import TestClient
from hostile_files import DOCX_TYPES, deflated, many_pages, zeros, zipped
from processes import children

from inbox.api import create_app
from inbox.model import FileResult, JobStatus
from inbox.service import Inbox
from inbox.settings import Settings

NOTE = b"Minutes of the meeting of the board, held on Monday"
LONG = "n" * 296 + ".txt"
ZYGOTE = "inbox.extract.sandbox.zygote"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """As they come, but nothing is remembered."""
    more = {"keep_pages_days": 0}
    return Settings(_env_file=None, **(settings.model_dump(exclude_unset=True) | more))


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that temporary files go to, empty again at the end."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []


def swollen() -> bytes:
    """An office document that unpacks to a gigabyte of zeros."""
    types = ("[Content_Types].xml", deflated(DOCX_TYPES), len(DOCX_TYPES))
    return zipped([types, ("word/document.xml", zeros(1024), 1 << 30)])


def overlapping() -> bytes:
    """An archive whose thousand members are the same bytes."""
    packed = zeros(1)
    members = [(f"{number}.txt", packed, 1 << 20) for number in range(1000)]
    return zipped(members, shared=packed)


def oddly_named() -> bytes:
    """An archive whose members have names that are paths, or lie."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name in ("../../x", "/etc/y", "nul?.txt", "\u202etxt.exe", LONG):
            opened.writestr(zipfile.ZipInfo(name), NOTE + name[:5].encode())
    return out.getvalue().replace(b"nul?.txt", b"nul\0.txt")


FILES: list[tuple[str, bytes, str | None]] = [
    ("../../x.txt", NOTE, None),
    ("pages.pdf", many_pages(10_000), "too_many_pages"),
    ("a\0b.docx", swollen(), "decompression_bomb"),
    ("\u202egnp.zip", overlapping(), "decompression_bomb"),
    ("empty.pdf", b"", "empty_file"),
    ("names.zip", oddly_named(), None),
    (LONG, NOTE + b", and closed", None),
]


def outcome(inbox: Inbox, client: TestClient) -> list[FileResult]:
    """What a job of all these files ends with, by the order in which they were sent."""
    sent = [("files", (name, content)) for name, content, _ in FILES]
    answer = client.post("/classify-documents-async", files=sent)
    assert answer.status_code == 202, answer.text
    assert inbox.work() is JobStatus.COMPLETED
    result = inbox.get(UUID(answer.json()["job_id"])).result
    assert result is not None
    return sorted(result.results, key=lambda one: one.number)


def test_hostile_files_end_with_their_codes_and_siblings_are_read(
    settings: Settings, inbox: Inbox, scratch: Path, tmp_path: Path
) -> None:
    """The same codes both times; no name is a path; nothing is left on the disk or running."""
    others = {each.pid for each in children(os.getpid(), ZYGOTE)}
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        first, again = outcome(inbox, client), outcome(inbox, client)
    kept = [
        [(one.filename, one.error_code, one.label, one.text_length) for one in found]
        for found in (first, again)
    ]
    assert kept[0] == kept[1]
    sent, inside = first[: len(FILES)], first[len(FILES) :]
    assert [one.error_code for one in sent] == [code for _, _, code in FILES]
    assert len(inside) == 5
    assert all(one.text_length for one in (sent[0], sent[-1], *inside))
    for one in first:
        assert one.filename == os.path.basename(one.filename)  # noqa: PTH119 - as a path is cut
        assert 0 < len(one.filename) <= 255
        assert not {"\0", "\u202e"} & set(one.filename)
    ours = {each.pid for each in children(os.getpid(), ZYGOTE)} - others
    assert ours
    inbox.reader.close()
    assert not [pid for pid in ours if psutil.pid_exists(pid)]  # a zombie still would
    home = settings.data_dir
    assert {path.name for path in tmp_path.iterdir()} <= {scratch.name, home.name}
    assert {path.name for path in home.rglob("*") if path.is_file()} <= {
        str(number) for number in range(1, 20)
    } | {f"6.{number}" for number in range(1, 6)}
