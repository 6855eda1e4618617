"""What the README and the docs tell people to type is typed here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import typer.main
from docs_commands import Command, blocks, commands, files_of
from environment import without_ours
from small_house import small_house

from inbox.cli import app, load
from inbox.cli.jobs import send
from inbox.samples import write_samples
from inbox.service import Inbox
from inbox.settings import Settings

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
SLOW = os.environ.get("INBOX_TEST_DOCS") == "all"
SECONDS = 120

# Commands that are not typed here, and where what they do is tried instead.
ELSEWHERE = (
    (r"make (test|install)$", "is how this test was started"),
    (r"make demo$", "typed where INBOX_TEST_DOCS is all; tests/e2e runs the same parts"),
    (r"make (demo-supabase|load|chaos|soak|mutants|bench\S*|fuzz)\b", "minutes of work"),
    (
        r"(\S*inbox up|inbox worker|inbox api)$",
        "tests/e2e and tests/integration/test_api_process.py",
    ),
    (
        r"prefect (work-pool|deploy|worker|deployment)\b",
        "tests/e2e/test_prefect.py and tests/e2e/prefork",
    ),
    (
        r"PREFECT_\S*=\S+$",
        "an environment variable; tests/integration/test_production.py knows them",
    ),
    (r"python -m deployments\.deploy$", "tests/e2e/test_prefect.py"),
    (r"(docker|kubectl|cp deployments/)", "no Docker here; tests/integration/test_production.py"),
    (r"supabase (link|db)", "needs an account; the migrations are applied by every test"),
    (r"DATABASE_URL='?postgresql://\S*…\S* inbox migrate", "tests/integration/test_cli.py"),
    (
        r"export SUPABASE_URL=",
        "needs a project; tests/live and tests/integration/test_doctor_supabase.py",
    ),
    (r"inbox doctor --supabase", "tests/integration/test_doctor_supabase.py"),
    (r"pg_dump ", "the program is Postgres's own"),
    (r"(OPENAI|SUPABASE|INBOX|DATABASE)_\S*=\S*$", "an environment variable"),
)


def elsewhere(command: Command) -> bool:
    """Whether the command is tried in another place."""
    return any(re.match(pattern, command.text) for pattern, _ in ELSEWHERE)


def typed(document: Path) -> list[Command]:
    """The commands of a document that are typed here."""
    return [each for each in commands(document) if not elsewhere(each)]


WITH_COMMANDS = [each for each in DOCUMENTS if typed(each)]


class Desk:
    """Somebody in a folder with some documents, beside a running house."""

    def __init__(self, folder: Path, url: str, settings: Settings) -> None:
        self.folder, self.url, self.settings = folder, url, settings
        for sample in write_samples(folder / "made"):
            if sample.path.name == "Rechnung_2026-0417.pdf":
                invoice = sample.path
            if sample.path.suffix == ".docx":
                letter = sample.path
        for name in ("a.pdf", "b.pdf", "invoice.pdf"):
            shutil.copy(invoice, folder / name)
        shutil.copy(letter, folder / "b.docx")
        (folder / "letter.txt").write_text("Dear Ada,\nthank you.\nYours sincerely,\nC. B.\n")
        for name in ("folder", "samples", "in"):
            (folder / name).mkdir()
            shutil.copy(folder / "letter.txt", folder / name / "letter.txt")
        for label, name in (("invoice", "a.pdf"), ("letter", "letter.txt")):
            (folder / "labelled" / label).mkdir(parents=True)
            shutil.copy(folder / name, folder / "labelled" / label)
        shutil.rmtree(folder / "made")
        blobs = settings.blobs_folder / "in"
        blobs.mkdir(parents=True)
        shutil.copy(folder / "a.pdf", blobs)
        with Inbox(settings) as inbox:
            self.job_id: UUID = send(inbox, [folder / "letter.txt"]).job_id

    def type(self, command: Command) -> str:
        """Type a command as it stands, but for the address and the id; what it prints."""
        text = command.text.replace("http://127.0.0.1:8000", self.url)
        text = text.replace("JOB_ID", str(self.job_id))
        if text.startswith("select "):
            return self._query(text)
        text = re.sub(r"(^|\s)(\.venv/bin/)?inbox ", rf"\1{sys.executable} -m inbox.cli ", text)
        text = re.sub(r"(^|\s)(\.venv/bin/)?python ", rf"\1{sys.executable} ", text)
        text = re.sub(r"^curl ", "curl --silent --show-error --fail --max-time 60 ", text)
        assert self.settings.database_url is not None
        environment = without_ours() | {
            "DATABASE_URL": self.settings.database_url.get_secret_value(),
            "INBOX_DATA_DIR": str(self.settings.data_dir),
        }
        answer = subprocess.run(
            ["bash", "-ec", text],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        where = f"{command.path.name}:{command.line}: {command.text}"
        assert answer.returncode == 0, f"{where}\n{answer.stdout[-2000:]}\n{answer.stderr[-2000:]}"
        return answer.stdout

    def _query(self, statement: str) -> str:
        assert self.settings.database_url is not None
        url = self.settings.database_url.get_secret_value()
        with psycopg.connect(url, autocommit=True) as connection:
            return str(connection.execute(statement).fetchall())


@pytest.fixture
def desk(settings: Settings, tmp_path: Path) -> Iterator[Desk]:
    """A house, and somebody beside it."""
    folder = tmp_path / "desk"
    folder.mkdir()
    with small_house(settings) as url:
        yield Desk(folder, url, settings)


def test_commands_are_found() -> None:
    """Those that are tried elsewhere are few, and each exception is of use."""
    everything = [each for document in DOCUMENTS for each in commands(document)]
    assert len([each for each in everything if not elsewhere(each)]) >= 15
    assert any(each.text == ".venv/bin/inbox export JOB_ID -o results.xlsx" for each in everything)


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: path.stem)
def test_every_command_works(document: Path, desk: Desk) -> None:
    """Typed in the order in which they stand, each ends well."""
    if shutil.which("curl") is None:
        pytest.skip("curl was not found")
    for place, text in files_of(document):
        if "/" not in place["file"]:  # others are those of the recipes
            (desk.folder / place["file"]).write_text(text)
    # From the first key on everybody is asked for one.
    for command in sorted(typed(document), key=lambda each: "keys create" in each.text):
        desk.type(command)


@pytest.mark.parametrize("name", ["README.md", "docs/api.md"])
def test_every_python_example_works(name: str, desk: Desk) -> None:
    """Each block that imports something of ours runs."""
    found = [each for each in blocks(CHECKOUT / name) if each.text.startswith("from inbox.client")]
    assert found
    for block in found:
        text = block.text.replace("http://127.0.0.1:8000", desk.url)
        subprocess.run(
            [sys.executable, "-c", text],
            cwd=desk.folder,
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )


@pytest.mark.skipif(not SLOW, reason="make test-docs types what takes minutes")
def test_the_demo_works() -> None:
    """`make demo`, as the README begins."""
    subprocess.run(["make", "demo"], cwd=CHECKOUT, check=True, capture_output=True, timeout=900)


def test_every_command_is_told_of() -> None:
    """In docs/command-line.md."""
    load()
    told = (CHECKOUT / "docs/command-line.md").read_text()
    names = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in names if f"`inbox {name}" not in told] == []


def test_what_documents_point_at_is_there() -> None:
    """Links to files and headings of this repository, and pictures of less than 200 kB."""
    for document in (*DOCUMENTS, *sorted((CHECKOUT / "docs/decisions").glob("*.md"))):
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, heading = target.partition("#")
            file = (document.parent / path) if path else document
            assert file.exists(), f"{document.name}: {target}"
            if heading:
                titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                slugs = [re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in titles]
                assert heading in slugs, f"{document.name}: {target}"
            if file.suffix == ".png":
                assert file.stat().st_size < 200_000, target


# -- the recipes of extending.md --------------------------------------------------------


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """A copy of the package in which the recipes were followed."""
    shutil.copytree(
        CHECKOUT / "inbox", tmp_path / "inbox", ignore=shutil.ignore_patterns("__pycache__")
    )
    for place, text in files_of(CHECKOUT / "docs/extending.md"):
        file = tmp_path / place["file"]
        if "after" not in place and "instead" not in place:
            assert not file.exists()
            file.write_text(text + "\n")
            continue
        before = file.read_text()
        anchor = place.get("after") or place["instead"]
        assert before.count(f"{anchor}\n") == 1, anchor
        now = f"{anchor}\n{text}\n" if "after" in place else f"{text}\n"
        file.write_text(before.replace(f"{anchor}\n", now))
    return tmp_path


def ask(extended: Path, *arguments: str, **variables: str) -> str:
    """Run the extended program; what it prints."""
    answer = subprocess.run(
        [sys.executable, "-m", "inbox.cli", *arguments],
        cwd=extended,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(extended), **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_recipe_for_a_kind_of_file_works(extended: Path) -> None:
    """After it the program reads vCards, a page for each."""
    card = "BEGIN:VCARD\nVERSION:4.0\nFN:{}\nEND:VCARD\n"
    (extended / "friends.vcf").write_text(card.format("Ada Lovelace") + card.format("C. Babbage"))
    text = ask(extended, "read", "friends.vcf")
    assert "FN:Ada Lovelace" in text
    assert "--- page 2, native ---" in text


def test_the_recipe_for_a_classifier_works(extended: Path) -> None:
    """After it the setting chooses the new classifier, which says when it does not know."""
    (extended / "a.txt").write_text("Bank statement for March\nnothing else\n")
    (extended / "b.txt").write_text("Hello\n")
    out = ask(extended, "classify", "a.txt", "b.txt", INBOX_CLASSIFIER="headline")
    assert "a.txt: bank_statement (0.90)" in out
    assert "b.txt: no label; review: low_confidence" in out
