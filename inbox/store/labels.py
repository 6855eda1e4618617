"""The verbs of stored label sets and of corrections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from inbox.errors import LabelSetNotFound
from inbox.labelling import CorrectedFile, Correction, LabelSet
from inbox.model import Job, Label
from inbox.store.calls import Calls, job_of, of_job


class LabelVerbs(Calls):
    """What a store can do with label sets and corrections; each may be called again."""

    def put_label_set(self, client_id: str, name: str, labels: Sequence[Label]) -> LabelSet:
        """Store a list of labels under a name, in place of one that has the name.

        Raises:
            InvalidLabels: the name or a label cannot be used, or there are too many sets.
        """
        listed = [dump_label(label) for label in labels]
        row = self._call("inbox_put_label_set", p_client_id=client_id, p_name=name, p_labels=listed)
        return LabelSet.model_validate(row, extra="ignore")

    def label_set(self, client_id: str, name: str) -> LabelSet:
        """One label set.

        Raises:
            LabelSetNotFound: the client has none of this name.
        """
        row = self._call("inbox_label_set", p_client_id=client_id, p_name=name)
        if row is None:
            raise LabelSetNotFound("there is no label set of this name")
        return LabelSet.model_validate(row, extra="ignore")

    def label_sets(self, client_id: str) -> tuple[LabelSet, ...]:
        """Every label set of a client, by name."""
        rows = self._call("inbox_list_label_sets", p_client_id=client_id)
        return tuple(LabelSet.model_validate(row, extra="ignore") for row in rows)

    def delete_label_set(self, client_id: str, name: str) -> bool:
        """Forget a label set; whether there was one."""
        return bool(self._call("inbox_delete_label_set", p_client_id=client_id, p_name=name))

    def correct(
        self, job_id: UUID, file_id: UUID, label: str | None, by: str, client_id: str | None
    ) -> Job:
        """Say what a file is, or with None take that back; the job as it is then.

        Raises:
            JobNotFound: there is none, or it is another client's.
            FileNotFound: the job has no such file.
            FileNotCompleted: the file has no label.
            InvalidLabels: the label is not one of the job's.
        """
        row = self._call(
            "inbox_correct_file",
            p_job_id=job_id,
            p_file_id=file_id,
            p_label=label,
            p_by=by,
            p_client_id=client_id,
        )
        return job_of(row)

    def corrections(self, job_id: UUID, client_id: str | None) -> tuple[Correction, ...]:
        """Every correction of a job's files, oldest first.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        rows = self._call("inbox_corrections", p_job_id=job_id, p_client_id=client_id)
        return tuple(Correction.model_validate(row) for row in of_job(rows))

    def corrected_files(self, client_id: str, limit: int) -> tuple[CorrectedFile, ...]:
        """The files whose labels people corrected or confirmed, newest first; at most 500."""
        rows = self._call("inbox_corrected_files", p_client_id=client_id, p_limit=limit)
        return tuple(CorrectedFile.model_validate(row) for row in rows)

    def keep_excerpt(self, file_id: UUID, excerpt: str) -> bool:
        """Keep the beginning of a corrected file's text; whether the file is still there."""
        return bool(self._call("inbox_keep_excerpt", p_file_id=file_id, p_excerpt=excerpt))


def dump_label(label: Label) -> dict[str, Any]:
    """A label as it is stored: without what it does not bring."""
    optional = {name for name in ("cues", "examples") if not getattr(label, name)}
    return label.model_dump(mode="json", exclude=optional)
