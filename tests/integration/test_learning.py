"""Corrections through the door, the API and the command line; and what the next run learns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from inbox.api.app import create_app
from inbox.blobs import blob_key
from inbox.cli import main
from inbox.model import FileResult, Job, JobOptions, Label, Upload
from inbox.samples import business, personal
from inbox.samples.sheet import pdf
from inbox.service import Inbox
from inbox.settings import Settings

TICKET = (
    "Maintenance ticket {number}\nElevator {number}, north tower\nThe cabin stopped between two "
    "floors. The door sensor was cleaned, the drive belt replaced and the brake adjusted.\n"
    "Technician on site for {number} minutes. Elevator released for service again.\n"
)
LETTER = "Dear Ms Miller,\n\nthank you for your letter of 3 May.\n\nYours sincerely,\nJ. Doe\n"


@pytest.fixture
def learning(settings: Settings) -> Iterator[Inbox]:
    """The same inbox, which learns from corrections."""
    with Inbox(settings.model_copy(update={"learn_from_corrections": True})) as opened:
        yield opened


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A client of the API."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings of this test, for commands."""
    monkeypatch.chdir(tmp_path)
    assert settings.database_url is not None
    monkeypatch.setenv("INBOX_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("INBOX_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("INBOX_CLASSIFIER", "lexicon")


def done(inbox: Inbox, *texts: str, client_id: str = "local") -> Job:
    """A job of these texts, done."""
    job_id, uploads = uuid4(), []
    for number, text in enumerate(texts, 1):
        with inbox.blobs.create(blob_key(job_id, number)) as writer:
            writer.write(text.encode())
            uploads.append(Upload(name=f"{number}.txt", blob=writer.commit()))
    inbox.submit(job_id, uploads, client_id=client_id)
    inbox.work()
    return inbox.get(job_id)


def first(job: Job) -> FileResult:
    """The first result."""
    assert job.result is not None
    return job.result.results[0]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run a command; its exit code and what it printed."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0), capsys.readouterr().out


def test_the_next_document_of_the_kind_is_right(inbox: Inbox, learning: Inbox) -> None:
    """Only where learning is switched on, and only for the client who corrected."""
    job = done(inbox, TICKET.format(number=7))
    assert first(job).needs_review
    inbox.correct(job.job_id, first(job).file_id, "report", "ann")
    assert first(done(inbox, TICKET.format(number=8))).needs_review
    assert first(done(learning, TICKET.format(number=9), client_id="bob")).needs_review
    learned = first(done(learning, TICKET.format(number=9)))
    assert (learned.label, learned.needs_review) == ("report", False)
    [known] = inbox.store.corrected_files("local", 10)
    assert known.excerpt is not None
    assert "Elevator 7" in known.excerpt


def test_a_correction_whose_bytes_are_gone_teaches_nothing(inbox: Inbox, learning: Inbox) -> None:
    """The next job is done as if there were no correction."""
    job = done(inbox, TICKET.format(number=7))
    inbox.correct(job.job_id, first(job).file_id, "report", "ann")
    inbox.blobs.delete_job(job.job_id)
    assert first(done(learning, LETTER)).label == "letter"


def test_a_correction_over_http(inbox: Inbox, client: TestClient) -> None:
    """PATCH shows the corrected job; its history says who and when; nonsense is refused."""
    job = done(inbox, LETTER)
    path = f"/job/{job.job_id}/files/{first(job).file_id}"
    answer = client.patch(path, json={"label": "memo", "by": "ann"})
    assert answer.status_code == 200
    assert answer.json()["result"]["results"][0]["corrected_label"] == "memo"
    [said] = client.get(f"/job/{job.job_id}/corrections").json()
    assert (said["previous"], said["label"], said["corrected_by"]) == ("letter", "memo", "ann")
    for wrong, body, status, code in (
        (path, {"label": "nonsense", "by": "ann"}, 422, "invalid_labels"),
        (path, {"label": "memo"}, 422, "invalid_request"),
        (path, {"label": "memo", "by": " "}, 422, "invalid_request"),
        (f"/job/{job.job_id}/files/{uuid4()}", {"label": "memo", "by": "a"}, 404, "file_not_found"),
        (f"/job/{uuid4()}/files/{uuid4()}", {"label": "memo", "by": "a"}, 404, "job_not_found"),
    ):
        refused = client.patch(wrong, json=body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_label_sets_over_http(client: TestClient) -> None:
    """Put, get, list, delete; what is wrong with a label is said."""
    labels = ["Bills", {"name": "Rest", "description": "all else", "cues": ["anything"]}]
    assert client.put("/label-sets/office", json=labels).status_code == 200
    stored = client.get("/label-sets/office").json()
    assert [each["name"] for each in stored["labels"]] == ["Bills", "Rest"]
    assert stored["labels"][1]["cues"] == ["anything"]
    assert len(client.get("/label-sets").json()) == 1
    refused = client.put("/label-sets/office", json=["only one"])
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_labels")
    assert client.delete("/label-sets/office").status_code == 204
    for call in (client.get, client.delete):
        assert call("/label-sets/office").json()["code"] == "label_set_not_found"


def test_label_sets_on_the_command_line(
    environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `show` prints is what `put` takes."""
    assert run(capsys, "labels", "put", "office", "Bills, Rest") == (0, "office: 2 labels\n")
    _, shown = run(capsys, "labels", "show", "office")
    assert [label["name"] for label in json.loads(shown)] == ["Bills", "Rest"]
    (tmp_path / "labels.json").write_text(shown)
    assert run(capsys, "labels", "put", "copy", tmp_path / "labels.json")[0] == 0
    assert run(capsys, "labels", "list")[1] == "copy: 2 labels\noffice: 2 labels\n"
    assert run(capsys, "labels", "delete", "copy")[0] == 0
    assert run(capsys, "labels", "show", "copy")[0] == 2


def test_a_correction_on_the_command_line(
    environment: None, inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the file's number; without a label it is taken back."""
    job = done(inbox, LETTER)
    assert run(capsys, "correct", job.job_id, "1", "memo", "--by", "ann")[0] == 0
    assert first(inbox.get(job.job_id)).corrected_label == "memo"
    assert run(capsys, "correct", job.job_id, "1")[0] == 0
    assert first(inbox.get(job.job_id)).corrected_label is None
    assert run(capsys, "correct", job.job_id, "2", "memo")[0] == 2


def folder_of(tmp_path: Path) -> Path:
    """Tickets that nobody would know, and letters."""
    for label, texts in (
        ("report", [TICKET.format(number=number) for number in range(3)]),
        ("letter", [LETTER, LETTER.replace("May", "June")]),
    ):
        (tmp_path / "known" / label).mkdir(parents=True)
        for number, text in enumerate(texts):
            (tmp_path / "known" / label / f"{number}.txt").write_text(text)
    return tmp_path / "known"


def test_evaluate_shows_what_corrections_would_change(
    environment: None, inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before learning is switched on: figures without and with, and a picture."""
    job = done(inbox, TICKET.format(number=77))
    inbox.correct(job.job_id, first(job).file_id, "report", "ann")
    folder, picture = folder_of(tmp_path), tmp_path / "figures.png"
    code, out = run(
        capsys, "evaluate", folder, "--with-corrections", "--json", "--picture", picture
    )
    assert code == 0
    found = json.loads(out)
    assert found["documents"] == 5
    assert found["accuracy"] < found["with_corrections"]["accuracy"] == 1.0
    with Image.open(picture) as image:
        assert image.format == "PNG"
    code, out = run(capsys, "evaluate", folder, "--with-corrections")
    assert code == 0
    assert "with corrections learned" in out
    assert "report: recall" in out


def test_evaluate_takes_a_list_with_sources(
    environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The columns file, label and source; own labels; what cannot be used is refused."""
    folder = folder_of(tmp_path)
    rows = [f"{path.relative_to(folder)},{path.parent.name}" for path in folder.rglob("*.txt")]
    lines = [f"{row},{number % 2}" for number, row in enumerate(rows)]
    (folder / "labels.csv").write_text("\n".join(["file,label,source", *lines]))
    found = json.loads(run(capsys, "evaluate", folder, "--json")[1])
    assert len(found["left_out"]["sources"]) == 2
    own = "letter, report, elevator tickets"
    assert run(capsys, "evaluate", folder, "--labels", own)[0] == 0
    assert run(capsys, "evaluate", folder, "--labels", "letter, bill")[0] == 2
    (folder / "labels.csv").write_text("name,kind\na,b\n")
    assert run(capsys, "evaluate", folder)[0] == 2
    assert run(capsys, "evaluate", tmp_path / "nothing")[0] == 2


def test_a_user_of_own_labels_learns_too(inbox: Inbox, learning: Inbox) -> None:
    """A correction to an own label is an example for jobs that know this label."""
    labels = (Label(name="lifts"), Label(name="choir"))
    job_id = _submit(inbox, labels, TICKET.format(number=7))
    inbox.work()
    job = inbox.get(job_id)
    inbox.correct(job_id, first(job).file_id, "lifts", "ann")
    again = _submit(learning, labels, TICKET.format(number=8))
    learning.work()
    learned = first(learning.get(again))
    assert (learned.label, learned.needs_review) == ("lifts", False)


def _submit(inbox: Inbox, labels: tuple[Label, ...], text: str) -> UUID:
    job_id = uuid4()
    with inbox.blobs.create(blob_key(job_id, 1)) as writer:
        writer.write(text.encode())
        upload = Upload(name="1.txt", blob=writer.commit())
    inbox.submit(job_id, [upload], labels)
    return job_id


def stack_of(path: Path) -> Path:
    """A PDF of an invoice, a resume of one page and a form."""
    sheets = [business.invoice(), personal.resume(), personal.form()]
    path.write_bytes(pdf(sheets, title="stack"))
    return path


def test_a_stack_is_proposed_as_its_documents(inbox: Inbox, tmp_path: Path) -> None:
    """Only where the job asks for it; nothing is cut, and a person is asked."""
    path = stack_of(tmp_path / "stack.pdf")
    results = []
    for options in (JobOptions(split=True), JobOptions()):
        job_id = uuid4()
        with inbox.blobs.create(blob_key(job_id, 1)) as writer:
            writer.write(path.read_bytes())
            upload = Upload(name="stack.pdf", blob=writer.commit())
        inbox.submit(job_id, [upload], options=options)
        inbox.work()
        results.append(first(inbox.get(job_id)))
    split, plain = results
    assert plain.details.splits == ()
    assert [(part.first_page, part.label) for part in split.details.splits] == [
        (1, "invoice"),
        (2, "resume"),
        (3, "form"),
    ]
    assert "several_documents" in split.review_reasons


def test_a_stack_on_the_command_line(
    environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`classify --split` previews it; without the option nothing is said."""
    path = stack_of(tmp_path / "stack.pdf")
    [line] = run(capsys, "classify", path, "--split", "--json")[1].splitlines()
    assert len(json.loads(line)["details"]["splits"]) == 3
    assert "pages 2 to 2: resume" in run(capsys, "classify", path, "--split")[1]
    assert json.loads(run(capsys, "classify", path, "--json")[1])["details"]["splits"] == []
