"""Jobs whose files hold files, and files whose pages are known: through the worker, for real."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pikepdf
import psycopg
import pytest
from fastapi.testclient import TestClient
from local_project import LocalProject
from PIL import Image, ImageDraw, ImageFont

from inbox.api import create_app
from inbox.blobs import blob_key
from inbox.errors import ConfigurationError, EncryptedFile, FileNotCompleted
from inbox.extract.sandbox import Sandbox
from inbox.failpoints import EXIT_CODE
from inbox.model import FileResult, Job, JobOptions, JobStatus, PageSource, Upload
from inbox.service import Inbox
from inbox.settings import Settings

PASSWORD = "a horse and a staple"
Send = Callable[..., UUID]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With a key for passwords, and two pages at a time."""
    more = {"secret_key": "0123456789abcdef" * 2, "page_concurrency": 2, "lease_seconds": 60}
    return Settings(_env_file=None, **(settings.model_dump(exclude_unset=True) | more))


@pytest.fixture
def send(inbox: Inbox) -> Send:
    """Stores contents under names and queues them as one job; answers its id."""

    def send(passwords: tuple[str, ...] = (), unpack: bool | None = None, **files: bytes) -> UUID:
        job_id = uuid4()
        uploads = []
        for number, (name, content) in enumerate(files.items(), start=1):
            with inbox.blobs.create(blob_key(job_id, number)) as writer:
                writer.write(content)
                uploads.append(Upload(name=name, blob=writer.commit()))
        sealed = inbox.seal(job_id, passwords)
        options = JobOptions(unpack=unpack)
        return inbox.submit(job_id, uploads, sealed=sealed, options=options).job_id

    return send


@pytest.fixture
def recognised(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Every page that is handed to a process for OCR: nothing else calls an engine."""
    pages: list[int] = []
    run = Sandbox.run

    def spy(self: Sandbox, path: Path, argument: Any, **options: Any) -> Any:
        batch = argument.get("batch")
        if batch is not None and batch["first"] is None:
            pages.extend(page["place"] + 1 for page in batch["pages"])
        return run(self, path, argument, **options)

    monkeypatch.setattr(Sandbox, "run", spy)
    return pages


def picture(*lines: str) -> Image.Image:
    """A scanned sheet."""
    made = Image.new("L", (1240, 300 + 70 * len(lines)), 255)
    for number, line in enumerate(lines):
        place = (80, 80 + 70 * number)
        ImageDraw.Draw(made).text(place, line, font=ImageFont.load_default(36), fill=0)
    return made


def png(*lines: str) -> bytes:
    """The sheet as a file."""
    out = io.BytesIO()
    picture(*lines).save(out, "PNG")
    return out.getvalue()


def scan(count: int, **options: Any) -> bytes:
    """A PDF of so many scanned sheets."""
    first, *others = [
        picture(f"Sheet number {n} of the minutes", "Those present were heard")
        for n in range(count)
    ]
    out, saved = io.BytesIO(), io.BytesIO()
    first.save(out, "PDF", save_all=True, append_images=others, resolution=150)
    with pikepdf.open(io.BytesIO(out.getvalue())) as opened:
        opened.save(saved, **options)
    return saved.getvalue()


def zipped(**members: bytes) -> bytes:
    """A zip archive, the same each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, data in members.items():
            opened.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def mail(subject: str, **attached: bytes) -> bytes:
    """A message with attachments."""
    made = EmailMessage()
    made["From"], made["Subject"] = "ana@example.org", subject
    made.set_content(f"Dear all,\nplease see what is attached to {subject}.\nKind regards, Ana")
    for name, data in attached.items():
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes()


def results(job: Job) -> tuple[FileResult, ...]:
    """What the job says of its files."""
    assert job.result is not None
    return job.result.results


def tree(job: Job) -> dict[str, str | None]:
    """Where each file was found, by name."""
    names = {result.file_id: result.filename for result in results(job)}
    return {
        result.filename: result.parent_id and names[result.parent_id] for result in results(job)
    }


def work(inbox: Inbox, job_id: UUID) -> Job:
    """Do a job whatever it waits for."""
    with psycopg.connect(inbox.settings.database_url.get_secret_value(), autocommit=True) as one:  # type: ignore[union-attr]
        one.execute("update inbox_jobs set available_at = now() where id = %s", (job_id,))
    inbox.work()
    return inbox.get(job_id)


def test_containers_in_containers_are_files_of_one_job(inbox: Inbox, send: Send) -> None:
    """An archive with mail with an archive: each file has its row, its label and its parent."""
    deep = zipped(memo=b"MEMO\nTo: all staff\nFrom: Ana\nSubject: holidays\nThe office is closed.")
    outer = zipped(
        **{"letter.eml": mail("the offer", **{"inner.zip": deep}), "scan.png": png("x y")}
    )
    job = work(inbox, send(**{"all.zip": outer}))
    assert job.status == JobStatus.COMPLETED
    assert tree(job) == {
        "all.zip": None,
        "letter.eml": "all.zip",
        "scan.png": "all.zip",
        "inner.zip": "letter.eml",
        "memo": "inner.zip",
    }
    by_name = {result.filename: result for result in results(job)}
    assert {name for name, result in by_name.items() if result.details.container} == {
        "all.zip", "inner.zip",
    }  # fmt: skip
    assert by_name["letter.eml"].label == "email"
    assert by_name["memo"].label == "memo"
    assert all(result.status == "completed" for result in results(job))
    assert (job.progress, job.processed_files, job.total_files) == (100, 5, 5)


def test_a_bomb_costs_only_itself(settings: Settings, inbox: Inbox, send: Send) -> None:
    """Beside it, and around it, everything ends as it would without."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros", bytes(40_000_000))
    note = b"MEMO\nTo: all staff\nFrom: Ana\nSubject: holidays\nThe office is closed."
    job = work(inbox, send(**{"all.zip": zipped(**{"bomb.zip": bomb.getvalue(), "note": note})}))
    by_name = {result.filename: result for result in results(job)}
    assert by_name["bomb.zip"].error_code == "decompression_bomb"
    assert by_name["note"].label == "memo"
    assert not list(settings.data_dir.rglob("zeros"))


def test_an_archive_of_archives_ends(inbox: Inbox, send: Send) -> None:
    """At the depth that the settings allow, with a code that says so."""
    data = b"the innermost"
    for _ in range(8):
        data = zipped(next=data)
    job = work(inbox, send(first=data))
    assert job.total_files == inbox.settings.unpack_max_depth + 1
    assert [result.error_code for result in results(job)][-2:] == [None, "too_deep"]


def test_what_is_left_inside_wants_review(inbox: Inbox, send: Send) -> None:
    """A letter is labelled by its own words, but nobody takes its attachments for read."""
    many = {f"{n}.txt": b"x" for n in range(3)}
    tight = Settings(
        _env_file=None, **(inbox.settings.model_dump(exclude_unset=True) | {"unpack_max_files": 2})
    )
    job_id = send(**{"a.eml": mail("three files", **many), "a.zip": zipped(**many)})
    with Inbox(tight) as other:
        job = work(other, job_id)
    letter, archive = results(job)
    assert letter.details.not_unpacked == "too_many_entries"
    assert letter.needs_review
    assert "not_unpacked" in letter.review_reasons
    assert archive.error_code == "too_many_entries"
    assert job.total_files == 2


def test_a_caller_may_want_nothing_unpacked(inbox: Inbox, send: Send) -> None:
    """Then archives are unsupported, and mail is read with what it says of its attachments."""
    files = {"a.eml": mail("an offer", **{"b.txt": b"x"}), "a.zip": zipped(b=b"x")}
    letter, archive = results(work(inbox, send(unpack=False, **files)))
    assert (letter.details.children, letter.details.not_unpacked) == (0, None)
    assert archive.error_code == "unsupported_type"


def test_the_bytes_of_children_go_with_their_job(inbox: Inbox, send: Send) -> None:
    """Nothing of a deleted job is left in the blob store, and no text of it in the rows."""
    job_id = send(**{"a.zip": zipped(**{"b.png": png("words of the sheet"), "c.txt": b"text"})})
    work(inbox, job_id)
    folder = inbox.settings.blobs_folder / str(job_id)
    assert sorted(path.name for path in folder.iterdir()) == ["1", "1.1", "1.2"]
    inbox.delete(job_id)
    assert not folder.exists()
    with psycopg.connect(inbox.settings.database_url.get_secret_value()) as connection:  # type: ignore[union-attr]
        assert connection.execute("select count(*) from inbox_pages").fetchone() == (0,)


# -- pages that are known -------------------------------------------------------------------


def test_the_same_files_again_are_not_recognised(
    inbox: Inbox, send: Send, recognised: list[int]
) -> None:
    """Not one page, though every result is the same; another recipe starts from the beginning."""
    files = {
        "scan.pdf": scan(3),
        "photo.png": png("A photograph of a receipt", "TOTAL 12.00"),
        "all.zip": zipped(**{"inner.png": png("A sheet inside")}),
        "note.txt": b"MEMO\nTo: all staff",
    }
    first = work(inbox, send(**files))
    assert len(recognised) == 5
    recognised.clear()
    second = work(inbox, send(**files))
    assert recognised == []
    apart = {"file_id", "parent_id", "processing_time", "pages_done", "pages_total"}
    assert [r.model_dump(exclude=apart) for r in results(first)] == [
        r.model_dump(exclude=apart) for r in results(second)
    ]
    more = inbox.settings.model_dump(exclude_unset=True) | {"ocr_ladder": "fast"}
    with Inbox(Settings(_env_file=None, **more)) as other:
        work(other, send(**files))
    assert len(recognised) == 5


def test_nothing_is_kept_where_nothing_is_to_be(
    inbox: Inbox, send: Send, recognised: list[int]
) -> None:
    """Zero days are no days."""
    more = inbox.settings.model_dump(exclude_unset=True) | {"keep_pages_days": 0}
    with Inbox(Settings(_env_file=None, **more)) as other:
        for _ in range(2):
            job = work(other, send(**{"a.png": png("A sheet of paper")}))
        assert recognised == [1, 1]
        document = other.document(job.job_id, results(job)[0].file_id)
        assert "sheet of paper" in document.text


def test_a_killed_job_resumes_at_its_page(
    inbox: Inbox, send: Send, recognised: list[int], tmp_path: Path
) -> None:
    """Kill -9 with 12 of 16 pages kept and two under way: the last four are recognised, no more."""
    count, kept = 16, 12
    job_id = send(**{"scan.pdf": scan(count)})
    worker = start(inbox.settings, tmp_path, failpoints=f"store.pages.before=sleep:900@{kept + 1}")
    done = 0
    until = time.monotonic() + 300
    with psycopg.connect(inbox.settings.database_url.get_secret_value(), autocommit=True) as rows:  # type: ignore[union-attr]
        while done < kept:
            assert time.monotonic() < until
            assert worker.poll() is None
            row = rows.execute("select count(*) from inbox_pages").fetchone()
            done = row[0] if row else 0
        worker.kill()
        worker.wait()
        (row,) = rows.execute(
            "select pages_done, (select count(*) from inbox_pages) from inbox_files"
        )
        told, done = row
        token = rows.execute("select lease_token from inbox_jobs").fetchone()
    assert told <= done == kept
    assert token is not None
    assert inbox.get(job_id).progress in range(10, 100)
    inbox.store.release(job_id, token[0], charged=True, crashed=True)
    job = work(inbox, job_id)
    assert len(recognised) == count - kept
    assert job.status == JobStatus.COMPLETED
    document = inbox.document(job_id, results(job)[0].file_id)
    assert [f"number {n} of" in page.text for n, page in enumerate(document.pages)] == [
        True
    ] * count


@pytest.mark.parametrize("place", ["store.children.before", "store.children.after"])
def test_a_worker_killed_while_it_unpacks_doubles_nothing(
    inbox: Inbox, send: Send, tmp_path: Path, place: str
) -> None:
    """Between the bytes and the rows, and between the rows and the result."""
    job_id = send(**{"a.zip": zipped(**{"b.txt": b"MEMO\nTo: all staff", "c.txt": b"Dear Ana,"})})
    worker = start(inbox.settings, tmp_path, failpoints=f"{place}=exit")
    assert worker.wait(120) == EXIT_CODE
    with psycopg.connect(inbox.settings.database_url.get_secret_value(), autocommit=True) as rows:  # type: ignore[union-attr]
        token = rows.execute("select lease_token from inbox_jobs").fetchone()
    assert token is not None
    inbox.store.release(job_id, token[0], charged=True, crashed=True)
    job = work(inbox, job_id)
    assert job.status == JobStatus.COMPLETED
    assert tree(job) == {"a.zip": None, "b.txt": "a.zip", "c.txt": "a.zip"}
    assert [result.status.value for result in results(job)] == ["completed"] * 3


def start(settings: Settings, folder: Path, failpoints: str = "") -> subprocess.Popen[bytes]:
    """A worker of its own that does one job."""
    assert settings.database_url is not None
    environment = os.environ | {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "INBOX_DATA_DIR": str(settings.data_dir),
        "INBOX_PAGE_CONCURRENCY": "2",
        "INBOX_LEASE_SECONDS": "60",
        "INBOX_CLASSIFIER": "lexicon",
        "INBOX_FAILPOINTS": failpoints,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    program = "from inbox import Inbox, Settings; Inbox(Settings(), 60).work()"
    return subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=folder)


# -- what was read is shown -----------------------------------------------------------------


def test_the_text_of_a_completed_file_is_shown(
    inbox: Inbox, send: Send, recognised: list[int]
) -> None:
    """Without OCR and without reading while it is kept; and read again where it is not."""
    files = {"a.png": png("A sheet of paper"), "b.txt": b"Plain words", "c.zip": zipped(d=b"x")}
    job = work(inbox, send(**files, **{"e.bin": bytes(range(256)) * 4}))
    sheet, note, archive, broken = results(job)[:4]
    recognised.clear()

    def shown() -> list[str]:
        return [inbox.document(job.job_id, one.file_id).text for one in (sheet, note, archive)]

    assert ["sheet of paper" in shown()[0], *shown()[1:]] == [True, "Plain words", ""]
    assert recognised == []
    assert inbox.document(job.job_id, archive.file_id).container
    with pytest.raises(FileNotCompleted):
        inbox.document(job.job_id, broken.file_id)
    with psycopg.connect(inbox.settings.database_url.get_secret_value(), autocommit=True) as rows:  # type: ignore[union-attr]
        rows.execute("update inbox_pages set kept_at = kept_at - interval '31 days'")
    inbox.sweep()
    assert ["sheet of paper" in shown()[0], *shown()[1:]] == [True, "Plain words", ""]
    assert recognised == [1, 1]


# -- passwords ------------------------------------------------------------------------------


def test_a_password_opens_what_is_locked_and_is_forgotten(
    inbox: Inbox, send: Send, tmp_path: Path
) -> None:
    """It stands in no row, no file and no log in clear, and is gone when the job is over."""
    locked = scan(1, encryption=pikepdf.Encryption(owner="o", user=PASSWORD))
    job_id = send(passwords=("wrong", PASSWORD), **{"a.pdf": locked, "b.zip": zipped(c=locked)})
    assert PASSWORD not in everything(inbox)
    lease = inbox.claim(job_id)
    assert lease is not None
    assert lease.sealed is not None
    assert PASSWORD not in repr(lease) + lease.model_dump_json()
    inbox.release(lease)
    job = work(inbox, job_id)
    assert [result.status.value for result in results(job)] == ["completed"] * 3
    assert PASSWORD not in everything(inbox)
    with psycopg.connect(inbox.settings.database_url.get_secret_value()) as rows:  # type: ignore[union-attr]
        assert rows.execute("select sealed from inbox_jobs").fetchone() == (None,)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes()
    page = inbox.document(job_id, results(job)[0].file_id).pages[0]
    assert (page.source, "Sheet number 0" in page.text) == (PageSource.OCR, True)


def everything(inbox: Inbox) -> str:
    """All rows of all tables, as text."""
    said = ""
    with psycopg.connect(inbox.settings.database_url.get_secret_value()) as rows:  # type: ignore[union-attr]
        tables = rows.execute("select tablename from pg_tables where schemaname = 'public'")
        for (table,) in tables.fetchall():
            said += str(rows.execute(f'select * from "{table}"'.encode()).fetchall())
    return said


def test_a_wrong_password_is_said(inbox: Inbox, send: Send) -> None:
    """The file is locked, and the sentence tells what to do."""
    locked = scan(1, encryption=pikepdf.Encryption(owner="o", user=PASSWORD))
    for given, sentence in (((), "send its password"), (("wrong",), "no password of the job")):
        (result,) = results(work(inbox, send(passwords=given, **{"a.pdf": locked})))
        assert result.error_code == EncryptedFile.code
        assert sentence in (result.error_message or "")


def test_passwords_want_a_key(settings: Settings, inbox: Inbox, send: Send) -> None:
    """Where several machines may work there is no key until one is set, and each has its own."""
    values = settings.model_dump(exclude_unset=True)
    with (
        Inbox(Settings(_env_file=None, **(values | {"secret_key": None}))) as without,
        pytest.raises(ConfigurationError, match="INBOX_SECRET_KEY"),
    ):
        without.seal(uuid4(), ["x"])
    locked = scan(1, encryption=pikepdf.Encryption(owner="o", user=PASSWORD))
    job_id = send(passwords=(PASSWORD,), **{"a.pdf": locked})
    with Inbox(Settings(_env_file=None, **(values | {"secret_key": "f" * 40}))) as other:
        (result,) = results(work(other, job_id))
    assert result.error_code == "configuration"


@pytest.mark.parametrize("field", [PASSWORD, f'["wrong", "{PASSWORD}"]'])
def test_a_password_is_a_field_of_the_form(settings: Settings, inbox: Inbox, field: str) -> None:
    """As it is, or in a JSON list; it opens the file, and no answer repeats it."""
    locked = scan(1, encryption=pikepdf.Encryption(owner="o", user=PASSWORD))
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        answer = client.post(
            "/classify-documents-async",
            files=[("files", ("a.pdf", locked))],
            data={"passwords": field},
        )
        assert answer.status_code == 202
        job = work(inbox, UUID(answer.json()["job_id"]))
        assert job.status == JobStatus.COMPLETED
        assert PASSWORD not in answer.text + client.get(f"/job/{job.job_id}").text


@pytest.mark.parametrize("field", [f"[{PASSWORD}", f'["{PASSWORD}", 1]', "x" * 300])
def test_passwords_that_cannot_be_meant_are_refused(
    settings: Settings, inbox: Inbox, field: str
) -> None:
    """With a sentence that does not repeat them; nothing is queued."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        answer = client.post(
            "/classify-documents-async",
            files=[("files", ("a.pdf", b"x"))],
            data={"passwords": field},
        )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert PASSWORD not in answer.text
    assert "xxx" not in answer.text
    assert inbox.list() == ()


def test_a_password_is_an_option_of_the_commands(tmp_path: Path) -> None:
    """`inbox read` opens a locked file with it, and says what to do without."""
    path = tmp_path / "a.pdf"
    path.write_bytes(scan(1, encryption=pikepdf.Encryption(owner="o", user=PASSWORD)))
    command = [sys.executable, "-m", "inbox.cli", "read", str(path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    options = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True}
    read = subprocess.run([*command, "--password", PASSWORD], **options, check=True)  # type: ignore[call-overload]
    assert "Sheet number 0" in read.stdout
    refused = subprocess.run(command, **options, check=False)  # type: ignore[call-overload]
    assert "encrypted_file" in refused.stderr


def test_a_users_archive_in_a_project_is_taken_apart(project: LocalProject) -> None:
    """Its files lie in the server's folder, the user sees their rows, and nobody sees the text."""
    user, job_id = uuid4(), uuid4()
    note = b"MEMO\nTo: all staff\nFrom: Ana\nSubject: holidays\nThe office is closed."
    parcel = zipped(**{"memo.txt": note, "scan.png": png("words of a sheet")})
    with project.http(user) as browser, Inbox(project.settings(), 20) as inbox:
        key = f"{user}/{job_id}/1"
        browser.post(f"/storage/v1/object/inbox/{key}", files={"file": ("a.zip", parcel)})
        body = {"p_job_id": str(job_id), "p_files": [{"name": "a.zip", "storage_key": key}]}
        assert browser.post("/rest/v1/rpc/inbox_submit_job", json=body).is_success
        assert inbox.work() == JobStatus.COMPLETED
        rows = browser.get("/rest/v1/inbox_files?select=name,label,parent_id&order=number").json()
        assert [row["name"] for row in rows] == ["a.zip", "memo.txt", "scan.png"]
        assert [row["parent_id"] is None for row in rows] == [True, False, False]
        assert rows[1]["label"] == "memo"
        assert not browser.get("/rest/v1/inbox_pages?select=*").is_success
        files = results(inbox.get(job_id))
        shown = [inbox.document(job_id, one.file_id, str(user)).text for one in files]
        assert shown[1].startswith("MEMO")
        assert "words of a sheet" in shown[2]
        inbox.delete(job_id)
