"""What one signed-in user can find out about another's rows through PostgREST."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
from local_project import LocalProject

TABLES = (
    "inbox_jobs",
    "inbox_files",
    "inbox_attempts",
    "inbox_submissions",
    "inbox_stuck",
    "inbox_label_sets",
    "inbox_corrections",
)
JOB_COLUMNS = [
    "id",
    "status",
    "progress",
    "total_files",
    "processed_files",
    "labels",
    "result",
    "error",
    "created_at",
    "updated_at",
    "started_at",
    "finished_at",
    "owner_id",
    "organisation_id",
    "attempt",
]
FILE_COLUMNS = [
    "id",
    "job_id",
    "number",
    "name",
    "size_bytes",
    "status",
    "label",
    "confidence",
    "evidence",
]
HIDDEN = {
    "inbox_jobs": ["lease_token", "lease_owner", "client_id", "dispatch", "max_attempts"],
    "inbox_files": ["storage_key", "sha256", "lease_token", "crash_count"],
}


@dataclass
class User:
    """A user with rows that bear the user's mark in every text of theirs."""

    mark: str
    id: UUID = field(default_factory=uuid4)
    organisation: str | None = None
    jobs: list[UUID] = field(default_factory=list)

    def http(self, project: LocalProject) -> httpx.Client:
        """This user's browser."""
        claims = {"organisation_id": self.organisation} if self.organisation else {}
        return project.http(self.id, app_metadata=claims)

    def submit(self, project: LocalProject, files: int = 2) -> UUID:
        """Upload files and submit them, as a frontend does."""
        job_id = uuid4()
        listed = []
        with self.http(project) as browser:
            for n in range(files):
                key = f"{self.id}/{job_id}/{n}.txt"
                answer = browser.post(
                    f"/storage/v1/object/inbox/{key}", files={"file": ("f", self.mark.encode())}
                )
                assert answer.status_code == 200, answer.text
                listed.append({"name": f"{self.mark}-{n}.txt", "storage_key": key})
            answer = browser.post(
                "/rest/v1/rpc/inbox_submit_job",
                json={"p_job_id": str(job_id), "p_files": listed, "p_labels": [self.mark, "b"]},
            )
        assert answer.status_code == 200, answer.text
        self.jobs.append(job_id)
        return job_id


def traces(answer: httpx.Response, other: User) -> list[str]:
    """What of another user's stands in an answer: ids, marks."""
    marks = [other.mark, str(other.id), *map(str, other.jobs)]
    return [mark for mark in marks if mark in answer.text]


def known_attacks(other: User) -> Iterator[tuple[str, str, Any]]:
    """Requests (method, path, body) that would show, change or remove another user's rows."""
    job = other.jobs[0]
    for table in TABLES:
        yield "GET", f"/rest/v1/{table}", None
        yield "HEAD", f"/rest/v1/{table}?select=count", None
        yield "POST", f"/rest/v1/{table}", {"client_id": other.mark}
        yield "PATCH", f"/rest/v1/{table}?client_id=not.is.null", {"client_id": "x"}
        yield "DELETE", f"/rest/v1/{table}?client_id=not.is.null", None
    for select in ("*", "id", "id,status", "id,inbox_files(*)", "id,inbox_files(id,name)"):
        yield "GET", f"/rest/v1/inbox_jobs?select={select}", None
        yield "GET", f"/rest/v1/inbox_jobs?select={select}&id=eq.{job}", None
    yield "GET", f"/rest/v1/inbox_jobs?select=id&owner_id=eq.{other.id}", None
    yield "GET", f"/rest/v1/inbox_jobs?select=id&or=(id.eq.{job},status.eq.pending)", None
    yield "GET", f'/rest/v1/inbox_jobs?select=id&labels=cs.[{{"name":"{other.mark}"}}]', None
    yield "GET", f"/rest/v1/inbox_files?select=name&name=like.{other.mark}*", None
    yield "GET", f"/rest/v1/inbox_files?select=name&job_id=eq.{job}", None
    yield (
        "GET",
        f"/rest/v1/inbox_files?select=name,inbox_jobs!inner(id)&inbox_jobs.id=eq.{job}",
        None,
    )
    yield "GET", "/rest/v1/inbox_attempts?select=job_id,inbox_jobs(id,inbox_files(name))", None
    for table, columns in HIDDEN.items():
        for column in columns:
            yield "GET", f"/rest/v1/{table}?select={column}", None
            yield "GET", f"/rest/v1/{table}?select=id&{column}=not.is.null", None
            yield "GET", f"/rest/v1/{table}?select=id&order={column}", None
    yield "POST", "/rest/v1/rpc/inbox_list_label_sets", {"p_client_id": str(other.id)}
    yield (
        "POST",
        "/rest/v1/rpc/inbox_correct_file",
        {"p_job_id": str(job), "p_file_id": str(job), "p_label": other.mark},
    )
    yield "PATCH", f"/rest/v1/inbox_jobs?id=eq.{job}", {"status": "cancelled"}
    yield "PATCH", f"/rest/v1/inbox_files?job_id=eq.{job}", {"name": "x"}
    yield "DELETE", f"/rest/v1/inbox_jobs?id=eq.{job}", None
    yield "GET", f"/storage/v1/object/inbox/{other.id}/{job}/0.txt", None
    yield "POST", f"/storage/v1/object/sign/inbox/{other.id}/{job}/0.txt", {"expiresIn": "60"}
    yield "POST", "/storage/v1/object/list/inbox", {"prefix": "", "limit": 100, "offset": 0}
    yield "DELETE", "/storage/v1/object/inbox", {"prefixes": [f"{other.id}/{job}/0.txt"]}


def leaks(project: LocalProject, user: User, other: User) -> list[str]:
    """The known attacks by which `user` learns of, or changes, what is `other`'s."""
    found = []
    with user.http(project) as browser:
        for method, path, body in known_attacks(other):
            answer = browser.request(method, path, json=body)
            if answer.status_code >= 400:
                continue  # it may repeat the question, in which the attacker wrote the marks
            changed = method in {"PATCH", "DELETE"} and answer.text != "[]"
            if changed or traces(answer, other):
                found.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
    return found


def random_query(chance: random.Random, users: Sequence[User]) -> tuple[str, str, Any]:
    """A query that a curious user might try: select, embed, filter, order, range, rpc."""
    users = list(users)
    someone = chance.choice(users)
    job = chance.choice(someone.jobs)
    if chance.random() < 0.15:
        function = chance.choice(
            ["inbox_job_view", "inbox_list_jobs", "inbox_submit_job", "inbox_cancel_job"]
        )
        body: dict[str, Any] = {"p_job_id": str(job)}
        if function == "inbox_submit_job":
            key = f"{someone.id}/{job}/0.txt"
            body |= {"p_files": [{"name": "x", "storage_key": key}], "p_client_id": str(someone.id)}
        return "POST", f"/rest/v1/rpc/{function}", body
    table, own, embedded, inner = chance.choice(
        [
            ("inbox_jobs", JOB_COLUMNS, "inbox_files", FILE_COLUMNS),
            ("inbox_files", FILE_COLUMNS, "inbox_jobs", JOB_COLUMNS),
        ]
    )
    columns = chance.sample(own, chance.randint(1, 5))
    if chance.random() < 0.5:
        join = chance.choice(["", "!inner", "!left"])
        columns.append(f"{embedded}{join}({','.join(chance.sample(inner, 2))})")
    parts = [f"select={','.join(columns)}"]
    values = {
        "id": str(job), "job_id": str(job), "owner_id": str(someone.id), "status": "pending",
        "name": f"*{someone.mark}*", "organisation_id": someone.organisation or "x", "number": "1",
    }  # fmt: skip
    for _ in range(chance.randint(0, 3)):
        column = chance.choice([name for name in values if name in own])
        operator = "like" if column == "name" else chance.choice(["eq", "neq", "in"])
        value = f"({values[column]})" if operator == "in" else values[column]
        negated = chance.choice(["", "not."])
        parts.append(chance.choice([
            f"{column}={negated}{operator}.{value}",
            f"or=({column}.{negated}{operator}.{value},{own[0]}.not.is.null)",
            f"{column}=not.is.null",
        ]))  # fmt: skip
    if chance.random() < 0.3:
        parts.append(f"order={chance.choice(own)}.{chance.choice(['asc', 'desc'])}")
    if chance.random() < 0.3:
        parts.append(f"limit={chance.randint(1, 50)}&offset={chance.randint(0, 3)}")
    return "GET", f"/rest/v1/{table}?{'&'.join(parts)}", None


def random_leaks(
    project: LocalProject, user: User, other: User, times: int, seed: int
) -> list[str]:
    """Random queries whose answers bear traces of the other user; at least a third succeed."""
    chance = random.Random(seed)
    found, succeeded = [], 0
    with user.http(project) as browser:
        for _ in range(times):
            method, path, body = random_query(chance, (user, other))
            answer = browser.request(method, path, json=body)
            succeeded += answer.status_code == 200
            if answer.status_code < 400 and traces(answer, other):
                found.append(f"{method} {path}: {answer.text[:200]}")
    assert succeeded > times / 3, f"only {succeeded} of {times} queries were valid"
    return found
