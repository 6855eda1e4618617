"""The verbs that go with reading a file: what is inside it, how far it is, what was read before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from inbox import failpoints
from inbox.errors import ContainerTooLarge, FileNotFound, LeaseLost, TooManyEntries
from inbox.model import Child, File, Lease, Page, Source
from inbox.store.calls import Calls

PAGES_AT_ONCE = 500


class ReadingVerbs(Calls):
    """A part of `Store`."""

    def open_files(self, lease: Lease, after: int) -> tuple[File, ...]:
        """The files of a claimed job that want work and have a number above `after`.

        Raises:
            LeaseLost: the lease lapsed or passed on.
        """
        rows = self._call(
            "inbox_open_files", p_job_id=lease.job_id, p_token=lease.token, p_after=after
        )
        if rows is None:
            raise LeaseLost("the lease lapsed or passed on")
        return tuple(File.model_validate(row) for row in rows)

    def add_children(
        self,
        lease: Lease,
        file: File,
        children: Sequence[Child],
        *,
        max_files: int,
        max_bytes: int,
    ) -> None:
        """Add what was found inside a file, all at once; a second time changes nothing.

        Args:
            lease: whose files they become.
            file: where they were found.
            children: in order; their bytes are in the blob store.
            max_files: most files that the containers of one job may bring in all.
            max_bytes: most bytes of these.

        Raises:
            TooManyEntries: there would be more files.
            ContainerTooLarge: there would be more bytes.
            LeaseLost: the lease lapsed or passed on; nothing was written.
            JobCancelled: somebody asked for it.
        """
        failpoints.hit("store.children.before")
        answer = self._fenced(
            "inbox_add_children",
            lease,
            p_file_id=file.id,
            p_children=[_child(child) for child in children],
            p_max_files=max_files,
            p_max_bytes=max_bytes,
        )
        failpoints.hit("store.children.after")
        if answer == TooManyEntries.code:
            raise TooManyEntries(
                f"The containers of one job may hold {max_files} files at most in all."
            )
        if answer == "too_large":
            raise ContainerTooLarge(
                f"The containers of one job may hold {max_bytes} bytes at most in all."
            )

    def progress(self, lease: Lease, file: File, done: int, total: int, at_once: int) -> None:
        """Say how many pages of a file are done; also a sign of life.

        Args:
            lease: of the job.
            file: which.
            done: pages that are done.
            total: pages that it has.
            at_once: pages that cost nothing, because they are text or were read before.

        Raises:
            LeaseLost: the lease lapsed or passed on.
            JobCancelled: somebody asked for it.
        """
        self._fenced(
            "inbox_progress",
            lease,
            p_file_id=file.id,
            p_done=done,
            p_total=total,
            p_at_once=at_once,
        )

    def keep_pages(
        self,
        lease: Lease,
        file: File,
        sha256: str,
        recipe: str,
        pages: Sequence[Page],
        *,
        whole: bool = False,
    ) -> None:
        """Keep pages for the next time that the same bytes are read.

        Args:
            lease: of the job.
            file: whose pages.
            sha256: digest of its bytes.
            recipe: how they were read.
            pages: any of them.
            whole: whether with these all pages of the file are kept.

        Raises:
            LeaseLost: the lease lapsed or passed on; nothing was written.
        """
        failpoints.hit("store.pages.before")
        answer = self._call(
            "inbox_keep_pages",
            p_job_id=lease.job_id,
            p_token=lease.token,
            p_file_id=file.id,
            p_sha256=sha256,
            p_recipe=recipe,
            p_pages=[page.model_dump(mode="json", exclude_none=True) for page in pages],
            p_whole=whole,
        )
        if answer != "ok":
            raise LeaseLost("the lease lapsed or passed on; nothing was written")

    def kept_pages(self, client_id: str, sha256: str, recipe: str) -> Iterator[Page]:
        """The pages that are kept of a content, in order."""
        after = 0
        while rows := self._call(
            "inbox_kept_pages",
            p_client_id=client_id,
            p_sha256=sha256,
            p_recipe=recipe,
            p_after=after,
            p_limit=PAGES_AT_ONCE,
        ):
            for row in rows:
                page = Page.model_validate(row)
                after = page.number
                yield page

    def purge_pages(self, seconds: float, limit: int = 5000) -> int:
        """Forget pages that were kept longer ago; how many, at most `limit`."""
        return int(self._call("inbox_purge_pages", p_seconds=seconds, p_limit=limit))

    def source(self, job_id: UUID, file_id: UUID, client_id: str | None = None) -> Source:
        """What it takes to show a file again.

        Raises:
            FileNotFound: there is no such file, or it is another client's.
        """
        row = self._call(
            "inbox_file_source", p_job_id=job_id, p_file_id=file_id, p_client_id=client_id
        )
        if row is None:
            raise FileNotFound("no job has such a file")
        return Source.model_validate(row)


def _child(child: Child) -> dict[str, Any]:
    return {
        "name": child.name,
        "storage_key": child.blob.key,
        "sha256": child.blob.sha256,
        "size_bytes": child.blob.size,
        "error_code": None if child.problem is None else child.problem.code,
        "error_message": None if child.problem is None else child.problem.message,
    }
