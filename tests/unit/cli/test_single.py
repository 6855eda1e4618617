"""Reading and classifying single files, with no server and no database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

INVOICE = "INVOICE\nInvoice number 7\nAmount due: 100 EUR\nPlease pay within 30 days\n"
LETTER = "Dear Ms Miller,\n\nthank you for your letter of 3 May.\n\nYours sincerely,\nJ. Doe\n"
Run = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two documents, a broken one, an empty one and two that are hidden."""
    folder = tmp_path / "documents"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "b.txt").write_text(INVOICE)
    (folder / "a.txt").write_text(LETTER)
    (folder / "c.pdf").write_bytes(b"%PDF-1.7 this is none")
    (folder / "sub" / "empty.txt").touch()
    (folder / ".hidden" / "x.txt").write_text("x")
    (folder / ".x.txt").write_text("x")
    return folder


def test_the_text_is_printed_page_by_page(run: Run, folder: Path) -> None:
    """A heading says where the text of a page came from."""
    done = run("read", folder / "b.txt")
    assert done.code == 0
    assert done.out.splitlines()[:2] == ["--- page 1, native ---", "INVOICE"]


def test_a_document_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    """Escape sequences in a document are not printed."""
    path = tmp_path / "odd.txt"
    path.write_text(LETTER + "before \x1b]0;title\x07 after\n")
    done = run("read", path)
    assert "before" in done.out
    assert "\x1b" not in done.out
    assert "\x07" not in done.out


def test_a_document_is_printed_as_json(run: Run, folder: Path) -> None:
    """Programs get the pages as they are."""
    document = json.loads(run("read", folder / "b.txt", "--json").out)
    assert document["media_type"] == "text/plain"
    assert document["pages"][0]["number"] == 1
    assert document["pages"][0]["text"].startswith("INVOICE")
    assert document["pages"][0]["source"] == "native"


@pytest.mark.parametrize(
    ("name", "code"), [("c.pdf", "corrupt_file"), ("none.pdf", "invalid_request")]
)
def test_a_file_that_cannot_be_read_says_why(run: Run, folder: Path, name: str, code: str) -> None:
    """Code and sentence on standard error; with --json an object besides; exit code 2."""
    plain = run("read", folder / name)
    assert plain.code == 2
    assert plain.err.startswith(f"inbox: {code}: ")
    assert plain.out == ""
    programs = run("read", folder / name, "--json")
    assert programs.code == 2
    found = json.loads(programs.out)
    assert found["file"] == str(folder / name)
    assert found["error"]["code"] == code


def test_each_file_is_one_json_object_on_one_line(run: Run, folder: Path) -> None:
    """Folders are searched, hidden files left out, the order is that of the names."""
    done = run("classify", "--json", folder)
    found = [json.loads(line) for line in done.out.splitlines()]
    names = ["a.txt", "b.txt", "c.pdf", "sub/empty.txt"]
    assert [each["file"] for each in found] == [str(folder / name) for name in names]
    assert [each["label"] for each in found] == ["letter", "invoice", None, None]
    assert found[1]["confidence"] > 0.5
    assert all(each["quote"] in INVOICE for each in found[1]["evidence"])
    assert found[1]["text_length"] > 0
    assert found[1]["pages"] == 1
    assert [each["error_code"] for each in found] == [None, None, "corrupt_file", "empty_file"]
    assert found[2]["error"]["message"]
    assert done.code == 1


def test_named_files_keep_the_order_they_were_named_in(run: Run, folder: Path) -> None:
    """What comes first on the command line comes first in the output."""
    paths = [folder / "b.txt", folder / "a.txt"]
    done = run("classify", *paths)
    assert done.code == 0
    assert [line.split(": ")[0] for line in done.out.splitlines()] == [str(path) for path in paths]


def test_own_labels_are_the_only_answers(run: Run, folder: Path) -> None:
    """--labels takes names with commas between them, or JSON."""
    for labels in ("bill, poem", '["bill", {"name": "poem", "description": "verses"}]'):
        done = run("classify", "--json", "--labels", labels, folder / "b.txt")
        found = json.loads(done.out)
        assert {each["label"] for each in found["alternatives"]} <= {"bill", "poem"}
        assert found["label"] in {"bill", "poem", None}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["classify", "none.txt"], "invalid_request"),
        (["classify", "."], "no_files"),
        (["classify", "--labels", "[", "."], "invalid_labels"),
        (["submit", "none.txt"], "invalid_request"),
        (["submit", "--labels", "one", "."], "invalid_labels"),
    ],
)
def test_wrong_input_is_named(run: Run, arguments: list[str], code: str) -> None:
    """Exit code 2 and one line that says what is wrong."""
    done = run(*arguments)
    assert done.code == 2
    assert done.err.startswith(f"inbox: {code}: ")
    assert done.out == ""


def test_a_file_is_written_in_another_form(run: Run, folder: Path) -> None:
    """The output goes to the file that is named, or to the standard output as it is."""
    assert run("read", folder / "b.txt", "--output", "text").out == INVOICE
    done = run("read", folder / "b.txt", "--output", "words", "-o", "out.json")
    assert (done.code, done.out) == (0, "")
    assert json.loads(Path("out.json").read_bytes())["pages"][0]["source"] == "native"
    assert sorted(path.name for path in Path().iterdir()) == ["documents", "out.json"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--output", "docx"], "unsupported_output"),
        (["--output", "pdf", "-o", "x.pdf"], "unsupported_output"),
        (["--output", "text", "--json"], "invalid_request"),
        (["-o", "nowhere/x.txt"], "invalid_request"),
        (["--languages", "tlh"], "unsupported_language"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    run: Run, folder: Path, arguments: list[str], code: str
) -> None:
    """What is wrong is said with its code, and nothing is left behind."""
    done = run("read", folder / "b.txt", *arguments)
    assert done.code == 2
    assert code in done.out + done.err
    assert [path.name for path in Path().iterdir()] == ["documents"]
