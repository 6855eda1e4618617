"""What the rows promise of files inside files, of progress within a file, and of pages kept."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest

from inbox.errors import (
    ContainerTooLarge,
    FileNotFound,
    InvalidRequest,
    JobCancelled,
    LeaseLost,
    TooManyEntries,
)
from inbox.model import (
    Blob,
    Child,
    Classification,
    Document,
    FileStatus,
    Job,
    JobStatus,
    Lease,
    Order,
    Page,
    PageSource,
    Problem,
    Upload,
)
from inbox.store.store import Store

SHA = "ab" * 32
LETTER = Document(
    media_type="text/plain", pages=(Page(number=1, text="x", source=PageSource.NATIVE),)
)
LABELLED = Classification(label="letter", confidence=0.9, classifier="test")
UNLABELLED = Classification(label=None, confidence=None, classifier="container")
CASE = Document(media_type="application/zip", pages=(), children=2, container=True)
ROOM = {"max_files": 100, "max_bytes": 10_000}
Claim = Callable[..., Lease]


@pytest.fixture
def claim(store: Store) -> Claim:
    """Submits a job of some files of one content, claims it and starts its files."""

    def claim(files: int = 1, client_id: str = "local", sha256: str | None = SHA) -> Lease:
        job_id = uuid4()
        uploads = [
            Upload(name=f"{n}", blob=Blob(key=f"{job_id}/{n}", sha256=sha256, size=9))
            for n in range(1, files + 1)
        ]
        store.submit(job_id, Order(uploads=tuple(uploads), client_id=client_id, sealed="1.x"))
        lease = store.claim(job_id, "worker")
        assert lease is not None
        for file in lease.files:
            store.start(lease, file)
        return lease

    return claim


def inside(lease: Lease, *sizes: int, problem: Problem | None = None) -> list[Child]:
    """Files of these sizes, found in the first file of a job."""
    return [
        Child(name=f"{n}.txt", blob=Blob(key=f"{lease.job_id}/1.{n}", size=size), problem=problem)
        for n, size in enumerate(sizes, start=1)
    ]


def pages(*numbers: int, text: str = "words") -> list[Page]:
    """Recognised pages with these numbers."""
    return [Page(number=n, text=f"{text} {n}", source=PageSource.OCR) for n in numbers]


def rows(store: Store, job_id: UUID) -> list[tuple[int, str, bool]]:
    """Number, status and whether it has a parent, of every file."""
    result = store.get(job_id).result
    assert result is not None
    return [(f.number, f.status.value, f.parent_id is not None) for f in result.results]


def test_files_inside_become_files_of_the_job(store: Store, claim: Claim) -> None:
    """They are counted at once, worked on like others, and say where they were found."""
    lease = claim()
    (case,) = lease.files
    store.add_children(lease, case, inside(lease, 3, 4), **ROOM)
    assert store.get(lease.job_id).total_files == 3
    found = store.open_files(lease, after=case.number)
    assert [(f.number, f.parent_id, f.depth) for f in found] == [(2, case.id, 1), (3, case.id, 1)]
    store.record(lease, case, CASE, UNLABELLED)
    for file in found:
        store.start(lease, file)
        store.record(lease, file, LETTER, LABELLED)
    assert store.finish(lease.job_id, lease.token) == JobStatus.COMPLETED
    job = store.get(lease.job_id)
    assert (job.progress, job.processed_files, job.total_files) == (100, 3, 3)
    assert job.result is not None
    first = job.result.results[0]
    assert (first.label, first.needs_review, first.status) == (None, False, FileStatus.COMPLETED)
    assert (first.details.container, first.details.children) == (True, 2)


def test_only_a_container_may_go_without_a_label(store: Store, claim: Claim) -> None:
    """Any other file without one is a misfiled one, and is refused."""
    lease = claim()
    with pytest.raises(Exception, match="23514"):
        store.record(lease, lease.files[0], LETTER, UNLABELLED)


def test_a_repeated_step_adds_nothing(store: Store, claim: Claim) -> None:
    """Whoever lost the answer, or takes the container apart again, changes nothing."""
    lease = claim()
    for _ in range(2):
        store.add_children(lease, lease.files[0], inside(lease, 3, 4), **ROOM)
    assert store.get(lease.job_id).total_files == 3
    store.record(lease, lease.files[0], CASE, UNLABELLED)
    store.add_children(lease, lease.files[0], inside(lease, 3, 4, 5), **ROOM)
    assert store.get(lease.job_id).total_files == 3


def test_what_was_not_taken_out_is_over_at_once(store: Store, claim: Claim) -> None:
    """It stands among the results with its error, and counts as done."""
    lease = claim()
    locked = Problem(code="encrypted_file", message="The file is locked.")
    store.add_children(lease, lease.files[0], inside(lease, 0, problem=locked), **ROOM)
    assert store.open_files(lease, after=1) == ()
    job = store.get(lease.job_id)
    assert (job.processed_files, job.total_files) == (1, 2)
    assert job.result is not None
    assert job.result.results[1].error_code == "encrypted_file"


def test_the_containers_of_a_job_share_its_room(store: Store, claim: Claim) -> None:
    """Files and bytes are bounded over all containers of a job; too much adds nothing."""
    lease = claim(files=2)
    first, second = lease.files
    store.add_children(lease, first, inside(lease, 3, 4), max_files=3, max_bytes=10)
    more = [
        child.model_copy(update={"blob": Blob(key=f"k{n}", size=3)})
        for n, child in enumerate(inside(lease, 3, 3))
    ]
    with pytest.raises(TooManyEntries):
        store.add_children(lease, second, more, max_files=3, max_bytes=100)
    with pytest.raises(ContainerTooLarge):
        store.add_children(lease, second, more, max_files=4, max_bytes=10)
    assert store.get(lease.job_id).total_files == 4


def test_progress_never_falls_when_files_are_found(store: Store, claim: Claim) -> None:
    """The total grows, and progress waits until the work has caught up."""
    lease = claim(files=2)
    store.record(lease, lease.files[0], LETTER, LABELLED)
    store.add_children(lease, lease.files[1], inside(lease, *[1] * 8), **ROOM)
    seen = [store.get(lease.job_id).progress]
    store.record(lease, lease.files[1], CASE, UNLABELLED)
    for file in store.open_files(lease, after=2):
        store.start(lease, file)
        store.record(lease, file, LETTER, LABELLED)
        seen.append(store.get(lease.job_id).progress)
    assert seen[0] == 50
    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_who_lost_the_lease_adds_nothing(store: Store, claim: Claim) -> None:
    """Children, progress and pages are fenced as every write is."""
    lease = claim()
    (file,) = lease.files
    store.release(lease.job_id, lease.token)
    assert store.claim(lease.job_id, "another") is not None
    for write in (
        lambda: store.add_children(lease, file, inside(lease, 1), **ROOM),
        lambda: store.progress(lease, file, 1, 2, 0),
        lambda: store.keep_pages(lease, file, SHA, "r", pages(1)),
        lambda: store.open_files(lease, 0),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert store.get(lease.job_id).total_files == 1
    assert list(store.kept_pages("local", SHA, "r")) == []


def test_children_are_cancelled_and_tried_again_as_others(store: Store, claim: Claim) -> None:
    """A cancelled job cancels them, and a retry takes them up without their container."""
    lease = claim()
    store.add_children(lease, lease.files[0], inside(lease, 3, 4), **ROOM)
    store.record(lease, lease.files[0], CASE, UNLABELLED)
    store.cancel(lease.job_id)
    with pytest.raises(JobCancelled):
        store.progress(lease, lease.files[0], 1, 2, 0)
    assert store.finish(lease.job_id, lease.token) == JobStatus.CANCELLED
    assert rows(store, lease.job_id) == [
        (1, "completed", False), (2, "cancelled", True), (3, "cancelled", True),
    ]  # fmt: skip
    store.retry(lease.job_id)
    again = store.claim(lease.job_id, "worker")
    assert again is not None
    assert [(file.number, file.depth) for file in again.files] == [(2, 1), (3, 1)]


def test_a_child_that_kills_two_workers_is_ended_alone(store: Store, claim: Claim) -> None:
    """It is quarantined as any file is, and the files beside it are worked on one by one."""
    lease = claim()
    store.add_children(lease, lease.files[0], inside(lease, 3, 4), **ROOM)
    store.record(lease, lease.files[0], CASE, UNLABELLED)
    for _ in range(2):
        store.start(lease, store.open_files(lease, after=1)[0])
        store.release(lease.job_id, lease.token, charged=True, crashed=True)
        again = store.claim(lease.job_id, "worker")
        assert again is not None
        assert again.one_at_a_time
        lease = again
    assert [file.number for file in lease.files] == [3]
    result = store.get(lease.job_id).result
    assert result is not None
    assert result.results[1].error_code == "crashed_worker_twice"


def test_a_deleted_job_names_the_bytes_of_its_children(store: Store, claim: Claim) -> None:
    """So that nothing of them stays in the blob store."""
    lease = claim()
    store.add_children(lease, lease.files[0], inside(lease, 3), **ROOM)
    store.cancel(lease.job_id)
    store.finish(lease.job_id, lease.token)
    assert set(store.delete(lease.job_id)) == {f"{lease.job_id}/1", f"{lease.job_id}/1.1"}


def test_nobody_else_adds_files_to_a_job_at_work(rows_url: str, claim: Claim) -> None:
    """Not without a parent in the same job, one level above."""
    lease = claim(files=1)
    other = claim(files=1)
    statement = (
        "insert into inbox_files (job_id, name, storage_key, number, parent_id, depth)"
        " values (%s, 'x', 'k', 9, %s, %s)"
    )
    with psycopg.connect(rows_url, autocommit=True) as connection:
        for parent, depth in ((None, 0), (other.files[0].id, 1), (lease.files[0].id, 2)):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(statement, (lease.job_id, parent, depth))


# -- progress within a file ---------------------------------------------------------------


def test_progress_moves_within_a_file(store: Store, claim: Claim) -> None:
    """Page by page, never back, and never to the end before the file is over."""
    lease = claim(files=2)
    first, second = lease.files
    seen = []
    for done in (0, 50, 20, 100):
        store.progress(lease, first, done, 100, 0)
        job = store.get(lease.job_id)
        seen.append(job.progress)
    assert seen == [0, 25, 25, 50]
    store.record(lease, first, LETTER, LABELLED)
    store.progress(lease, second, 3, 3, 0)
    assert store.get(lease.job_id).progress == 99
    store.record(lease, second, LETTER, LABELLED)
    assert store.get(lease.job_id).progress == 100


def test_the_row_shows_the_pages_of_a_file(store: Store, claim: Claim, rows_url: str) -> None:
    """Done and total, also while no file is over; another attempt begins anew."""
    lease = claim()
    assert store.get(lease.job_id).result is None
    store.progress(lease, lease.files[0], 7, 10, 2)
    result = store.get(lease.job_id).result
    assert result is not None
    assert (result.results[0].pages_done, result.results[0].pages_total) == (7, 10)
    query = "select pages_done, pages_total from inbox_files"
    with psycopg.connect(rows_url, autocommit=True) as connection:
        assert connection.execute(query).fetchone() == (7, 10)
        store.release(lease.job_id, lease.token)
        assert connection.execute(query).fetchone() == (None, None)


def test_the_time_left_follows_from_the_pages(store: Store, claim: Claim, rows_url: str) -> None:
    """Unknown at first; then by how many pages this attempt had to read itself."""

    def left(seconds: int) -> int | None:
        with psycopg.connect(rows_url, autocommit=True) as connection:
            connection.execute(f"set inbox.clock_offset = '{seconds} seconds'")
            row = connection.execute("select inbox_job_view(%s)", (lease.job_id,)).fetchone()
            assert row is not None
            return Job.model_validate(row[0]).estimated_seconds_left

    lease = claim()
    assert left(10) is None
    # 150 of 200 pages were there already; 10 of the other 50 took 20 seconds.
    store.progress(lease, lease.files[0], 150, 200, 150)
    assert left(20) is None
    store.progress(lease, lease.files[0], 160, 200, 150)
    assert left(20) in range(79, 86)
    store.record(lease, lease.files[0], LETTER, LABELLED)
    assert left(20) == 0
    store.finish(lease.job_id, lease.token)
    assert store.get(lease.job_id).estimated_seconds_left is None


def test_the_time_left_counts_files_that_nobody_looked_at(
    store: Store, claim: Claim, rows_url: str
) -> None:
    """Each is taken for an average one."""
    lease = claim(files=4)
    store.record(lease, lease.files[0], LETTER, LABELLED)
    with psycopg.connect(rows_url, autocommit=True) as connection:
        connection.execute("set inbox.clock_offset = '10 seconds'")
        row = connection.execute("select inbox_job_view(%s)", (lease.job_id,)).fetchone()
    assert row is not None
    assert row[0]["estimated_seconds_left"] in range(30, 37)


# -- pages that are kept ------------------------------------------------------------------


def test_pages_are_kept_for_the_next_time(store: Store, claim: Claim) -> None:
    """By client, content and recipe; said twice, they are kept once."""
    lease = claim()
    (file,) = lease.files
    store.keep_pages(lease, file, SHA, "r", pages(2, 1))
    store.keep_pages(lease, file, SHA, "r", pages(2, 3, text="other"))
    assert [p.text for p in store.kept_pages("local", SHA, "r")] == [
        "words 1",
        "words 2",
        "other 3",
    ]
    for client, sha256, recipe in (("x", SHA, "r"), ("local", "0" * 64, "r"), ("local", SHA, "s")):
        assert list(store.kept_pages(client, sha256, recipe)) == []


def test_many_pages_come_in_several_answers(store: Store, claim: Claim) -> None:
    """However many there are, all of them come, in order."""
    lease = claim()
    store.keep_pages(lease, lease.files[0], SHA, "r", pages(*range(1, 1102), text="y" * 50))
    assert [p.number for p in store.kept_pages("local", SHA, "r")] == list(range(1, 1102))
    large = pages(1, 2, 3, text="z" * 3_000_000)
    for page in large:
        store.keep_pages(lease, lease.files[0], SHA, "large", [page])
    assert list(store.kept_pages("local", SHA, "large")) == large


def test_pages_of_another_content_are_refused(store: Store, claim: Claim) -> None:
    """A worker cannot write under a digest that is not its file's."""
    lease = claim()
    with pytest.raises(InvalidRequest):
        store.keep_pages(lease, lease.files[0], "cd" * 32, "r", pages(1))


def test_a_file_without_a_digest_gets_one(store: Store, claim: Claim) -> None:
    """So that its pages go when it goes."""
    lease = claim(sha256=None)
    store.keep_pages(lease, lease.files[0], SHA, "r", pages(1), whole=True)
    source = store.source(lease.job_id, lease.files[0].id)
    assert (source.blob.sha256, source.recipe) == (SHA, "r")


def test_a_source_is_its_clients(store: Store, claim: Claim) -> None:
    """Nobody else is told what it takes to show a file."""
    lease = claim(client_id="a")
    file_id = lease.files[0].id
    assert store.source(lease.job_id, file_id, "a").client_id == "a"
    for job_id, file, client in (
        (lease.job_id, file_id, "b"),
        (uuid4(), file_id, "a"),
        (lease.job_id, uuid4(), None),
    ):
        with pytest.raises(FileNotFound):
            store.source(job_id, file, client)


def test_pages_go_with_the_last_job_of_their_content(store: Store, claim: Claim) -> None:
    """The first of two jobs leaves them; so does another client's."""
    first, second, other = claim(), claim(), claim(client_id="b")
    for lease in (first, other):
        store.keep_pages(lease, lease.files[0], SHA, "r", pages(1))
    for lease, left in ((first, 1), (second, 0)):
        store.cancel(lease.job_id)
        store.finish(lease.job_id, lease.token)
        store.delete(lease.job_id)
        assert len(list(store.kept_pages("local", SHA, "r"))) == left
    assert len(list(store.kept_pages("b", SHA, "r"))) == 1


def test_old_pages_are_purged(store: Store, claim: Claim, rows_url: str) -> None:
    """Those that nobody kept again for so long; a few at a time."""
    lease = claim()
    store.keep_pages(lease, lease.files[0], SHA, "r", pages(1, 2, 3))
    assert store.purge_pages(3600) == 0
    with psycopg.connect(rows_url, autocommit=True) as connection:
        connection.execute("update inbox_pages set kept_at = kept_at - interval '2 hours'")
    store.keep_pages(lease, lease.files[0], SHA, "r", pages(2))
    assert store.purge_pages(3600, limit=1) == 1
    assert store.purge_pages(3600) == 1
    assert [p.number for p in store.kept_pages("local", SHA, "r")] == [2]


def test_secrets_end_with_the_job(store: Store, claim: Claim, rows_url: str) -> None:
    """They outlive an attempt, and nothing else."""
    lease = claim()
    assert lease.sealed == "1.x"
    query = "select sealed from inbox_jobs"
    with psycopg.connect(rows_url, autocommit=True) as connection:
        store.release(lease.job_id, lease.token)
        assert connection.execute(query).fetchone() == ("1.x",)
        store.cancel(lease.job_id)
        assert connection.execute(query).fetchone() == (None,)
