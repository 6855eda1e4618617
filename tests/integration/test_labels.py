"""Stored label sets and corrections, on both transports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from leaks import User
from local_project import LocalProject

from inbox.classify import DEFAULT_LABELS, parse_labels
from inbox.errors import (
    FileNotCompleted,
    FileNotFound,
    InboxError,
    InvalidLabels,
    InvalidRequest,
    JobNotFound,
    LabelSetNotFound,
)
from inbox.model import (
    Blob,
    Classification,
    Document,
    Job,
    JobOptions,
    Label,
    Order,
    Page,
    PageSource,
    Upload,
)
from inbox.project import open_project
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store
from inbox.store.supabase import SupabaseTransport

DOCUMENT = Document(
    media_type="text/plain", pages=(Page(number=1, text="Hello", source=PageSource.NATIVE),)
)
FOUND = Classification(label="letter", confidence=0.6, needs_review=True, classifier="test")
LABELS = (
    Label(name="Bills", description="to be paid", cues=("amount due",), examples=("Pay me 5.",)),
    Label(name="Rest"),
)


@pytest.fixture(params=["postgres", "supabase"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The verbs, on a database of this test's own."""
    if request.param == "postgres":
        transport: Any = PostgresTransport(request.getfixturevalue("database_url"), 4)
    else:
        project = open_project(request.getfixturevalue("project").settings())
        transport = SupabaseTransport(project, 4)
    with Store(transport, lease_seconds=30, patience=1) as opened:
        yield opened


def submit(store: Store, files: int = 1, **order: Any) -> UUID:
    """Submit a job; answers its id."""
    job_id = uuid4()
    uploads = tuple(Upload(name=f"{n}.txt", blob=Blob(key=f"{job_id}/{n}")) for n in range(files))
    store.submit(job_id, Order(uploads=uploads, **order))
    return job_id


def done(store: Store, files: int = 1, **order: Any) -> Job:
    """A job whose files are all completed."""
    job_id = submit(store, files, **order)
    lease = store.claim(job_id, "worker")
    assert lease is not None
    for file in lease.files:
        store.start(lease, file)
        store.record(lease, file, DOCUMENT, FOUND)
    store.finish(job_id, lease.token)
    return store.get(job_id)


def files_of(job: Job) -> list[Any]:
    """The results of a job's files."""
    assert job.result is not None
    return list(job.result.results)


def test_a_label_set_is_kept_for_its_client(store: Store) -> None:
    """Put, read, list, replace, delete; another client sees nothing of it."""
    first = store.put_label_set("ann", "office", LABELS)
    assert first.labels == LABELS
    again = store.put_label_set("ann", "office", parse_labels("a,b,c"))
    assert again.created_at == first.created_at
    assert [label.name for label in store.label_set("ann", "office").labels] == ["a", "b", "c"]
    assert [each.name for each in store.label_sets("ann")] == ["office"]
    assert store.label_sets("bob") == ()
    with pytest.raises(LabelSetNotFound):
        store.label_set("bob", "office")
    assert not store.delete_label_set("bob", "office")
    assert store.delete_label_set("ann", "office")
    assert not store.delete_label_set("ann", "office")


@pytest.mark.parametrize("name", ["", "x" * 65, "a/b", " a", "a\n"])
def test_a_label_set_needs_a_name_that_can_be_said(store: Store, name: str) -> None:
    """Letters, digits, spaces, dots, dashes and underscores, 64 at most."""
    with pytest.raises(InvalidLabels, match="is named by"):
        store.put_label_set("local", name, LABELS)


def test_a_job_takes_the_labels_of_its_set(store: Store) -> None:
    """A copy: what becomes of the set later does not change the job."""
    store.put_label_set("ann", "office", LABELS)
    job_id = submit(store, client_id="ann", options=JobOptions(label_set="office"))
    store.delete_label_set("ann", "office")
    lease = store.claim(job_id, "worker")
    assert lease is not None
    assert lease.labels == LABELS


def test_a_job_that_names_no_known_set_is_refused(store: Store) -> None:
    """Nothing is queued; another client's set is as unknown as none, and so are two lists."""
    store.put_label_set("ann", "office", LABELS)
    wanted = JobOptions(label_set="office")
    for order, said in (
        ({"client_id": "bob"}, "no label set"),
        ({"client_id": "ann", "labels": LABELS}, "not both"),
    ):
        with pytest.raises(InvalidLabels, match=said):
            submit(store, options=wanted, **order)
    assert store.list(None, None, None, 50) == ()


def test_a_correction_shows_in_the_job_and_its_history(store: Store) -> None:
    """Who and when, in the view of a job that is over; the classifier's own label stays."""
    job = done(store, files=2)
    first, second = (each.file_id for each in files_of(job))
    corrected = store.correct(job.job_id, first, "invoice", "ann", None)
    store.correct(job.job_id, first, "invoice", "ann", None)
    store.correct(job.job_id, first, "receipt", "bob", None)
    store.correct(job.job_id, second, "letter", "ann", None)
    store.correct(job.job_id, second, None, "ann", None)
    assert files_of(corrected)[0].corrected_label == "invoice"
    shown = files_of(store.get(job.job_id))
    assert (shown[0].label, shown[0].corrected_label, shown[0].corrected_by) == (
        "letter",
        "receipt",
        "bob",
    )
    assert shown[0].corrected_at is not None
    assert (shown[1].corrected_label, shown[1].corrected_at) == (None, None)
    history = [
        (each.number, each.previous, each.label, each.corrected_by)
        for each in store.corrections(job.job_id, None)
    ]
    assert history == [
        (1, "letter", "invoice", "ann"),
        (1, "invoice", "receipt", "bob"),
        (2, "letter", "letter", "ann"),
        (2, "letter", None, "ann"),
    ]


def test_what_cannot_be_corrected_is_refused(store: Store) -> None:
    """Unknown jobs and files, files without a label, labels that are not the job's, nobody."""
    job, waiting = done(store), submit(store)
    [file] = [each.file_id for each in files_of(job)]
    lease = store.claim(waiting, "worker")
    assert lease is not None
    cases: list[tuple[type[InboxError], tuple[UUID, UUID, str | None, str, str | None]]] = [
        (JobNotFound, (uuid4(), file, "invoice", "ann", None)),
        (JobNotFound, (job.job_id, file, "invoice", "ann", "another")),
        (FileNotFound, (job.job_id, uuid4(), "invoice", "ann", None)),
        (FileNotFound, (waiting, file, "invoice", "ann", None)),
        (FileNotCompleted, (waiting, lease.files[0].id, "invoice", "ann", None)),
        (InvalidLabels, (job.job_id, file, "Invoice", "ann", None)),
        (InvalidRequest, (job.job_id, file, "invoice", " ", None)),
        (InvalidRequest, (job.job_id, file, "invoice", "a" * 201, None)),
    ]
    for kind, arguments in cases:
        with pytest.raises(kind):
            store.correct(*arguments)
    assert store.corrections(job.job_id, None) == ()


def test_every_default_label_can_be_corrected_to(store: Store) -> None:
    """The database knows the same default labels as the classifiers."""
    job = done(store)
    for label in DEFAULT_LABELS:
        store.correct(job.job_id, files_of(job)[0].file_id, label.name, "ann", None)
    assert len(store.corrections(job.job_id, None)) == len(DEFAULT_LABELS)


def test_a_correction_of_own_labels_is_one_of_them(store: Store) -> None:
    """Not one of the default labels."""
    job = done(store, labels=LABELS)
    file = files_of(job)[0].file_id
    with pytest.raises(InvalidLabels):
        store.correct(job.job_id, file, "invoice", "ann", None)
    store.correct(job.job_id, file, "Bills", "ann", None)


def test_corrected_files_can_be_learned_from(store: Store) -> None:
    """By client, newest first, with an excerpt once a worker kept one; gone with the job."""
    job = done(store, files=2, client_id="ann")
    first, second = (each.file_id for each in files_of(job))
    assert not store.keep_excerpt(first, "too early")
    store.correct(job.job_id, first, "invoice", "ann", None)
    store.correct(job.job_id, second, "letter", "ann", None)
    assert store.keep_excerpt(first, "Pay me")
    assert store.keep_excerpt(first, "another text")
    found = store.corrected_files("ann", 10)
    assert [(each.file.id, each.corrected_label, each.label, each.excerpt) for each in found] == [
        (second, "letter", "letter", None),
        (first, "invoice", "letter", "Pay me"),
    ]
    assert found[0].file.blob.key == f"{job.job_id}/1"
    assert store.corrected_files("bob", 10) == ()
    store.delete(job.job_id)
    assert store.corrected_files("ann", 10) == ()


def test_a_user_corrects_own_files_in_the_own_name(project: LocalProject, project_url: str) -> None:
    """Through the project alone: the own file, as oneself; never another user's."""
    ann, bob = User("annmark"), User("bobmark")
    job_id = ann.submit(project)
    bob.submit(project)
    with Store(
        SupabaseTransport(open_project(project.settings()), 2), lease_seconds=30, patience=1
    ) as store:
        lease = store.claim(job_id, "worker")
        assert lease is not None
        labelled = FOUND.model_copy(update={"label": "annmark"})
        store.start(lease, lease.files[0])
        store.record(lease, lease.files[0], DOCUMENT, labelled)
    body = {
        "p_job_id": str(job_id),
        "p_file_id": str(lease.files[0].id),
        "p_label": "b",
        "p_by": "the boss",
    }
    with bob.http(project) as browser:
        answer = browser.post("/rest/v1/rpc/inbox_correct_file", json=body)
        assert answer.json() is None
    with ann.http(project) as browser:
        wrong = body | {"p_label": "invoice"}
        answer = browser.post("/rest/v1/rpc/inbox_correct_file", json=wrong)
        assert answer.json()["details"] == "invalid_labels"
        assert browser.post("/rest/v1/rpc/inbox_correct_file", json=body).status_code == 200
        rows = browser.get("/rest/v1/inbox_files?select=corrected_label,corrected_by&number=eq.1")
    assert rows.json() == [{"corrected_label": "b", "corrected_by": str(ann.id)}]


def test_a_users_label_sets_are_the_users_own(project: LocalProject) -> None:
    """Whatever client is named; bad labels are refused with a code, and cues are kept."""
    ann, bob = User("annmark"), User("bobmark")
    put = "/rest/v1/rpc/inbox_put_label_set"
    mine = {"p_name": "mine", "p_labels": ["a", {"name": "b", "cues": [" c d "]}]}
    with ann.http(project) as browser:
        assert browser.post(put, json=mine | {"p_client_id": str(bob.id)}).status_code == 200
        for labels in (
            ["a", {"name": "b", "cues": ["x" * 101]}],
            ["a", {"name": "b", "cues": ["!"]}],
            ["a", {"name": "b", "examples": "text"}],
            ["a", {"name": "b", "examples": ["x"] * 21}],
            ["a"],
        ):
            answer = browser.post(put, json={"p_name": "mine", "p_labels": labels})
            assert answer.json()["details"] == "invalid_labels", labels
        listed = browser.post("/rest/v1/rpc/inbox_list_label_sets", json={}).json()
    assert [each["labels"] for each in listed] == [
        [{"name": "a", "description": ""}, {"name": "b", "description": "", "cues": ["c d"]}]
    ]
    with bob.http(project) as browser:
        named = {"p_client_id": str(ann.id)}
        assert browser.post("/rest/v1/rpc/inbox_list_label_sets", json=named).json() == []


def test_a_job_inserted_by_hand_takes_its_set_too(database_url: str) -> None:
    """The rule is the table's: whoever writes the row, an unknown set is refused."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            connection.execute("""insert into inbox_jobs (options) values ('{"label_set": "x"}')""")
        connection.execute("""select inbox_put_label_set('x', '["a", "b"]')""")
        connection.execute("""insert into inbox_jobs (options) values ('{"label_set": "x"}')""")
        rows = connection.execute("select jsonb_array_length(labels) from inbox_jobs").fetchall()
    assert rows == [(2,)]
