"""What signed-in users can do through a Supabase project alone, and what they cannot."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from leaks import User, leaks, random_leaks, traces
from local_project import LocalProject, token, user_token

from inbox.errors import JobNotFound
from inbox.model import JobStatus
from inbox.project import open_project
from inbox.service import Inbox
from inbox.store.store import Store
from inbox.store.supabase import SupabaseTransport

QUERIES = int(os.environ.get("INBOX_TEST_QUERIES", "150"))
SUBMIT = "/rest/v1/rpc/inbox_submit_job"


@pytest.fixture
def ann(project: LocalProject) -> User:
    """A user with a job."""
    user = User("annmark")
    user.submit(project)
    return user


@pytest.fixture
def bob(project: LocalProject) -> User:
    """Another user with a job."""
    user = User("bobmark")
    user.submit(project)
    return user


def sql(url: str, statement: str) -> None:
    """Run SQL as the owner of the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_user_sees_the_own_job_and_its_files(project: LocalProject, ann: User, bob: User) -> None:
    """Exactly these, of all rows."""
    with ann.http(project) as browser:
        jobs = browser.get("/rest/v1/inbox_jobs?select=id,status,owner_id,inbox_files(name)").json()
        files = browser.get("/rest/v1/inbox_files?select=name&order=number").json()
    assert [(job["id"], job["owner_id"]) for job in jobs] == [(str(ann.jobs[0]), str(ann.id))]
    assert [file["name"] for file in files] == ["annmark-0.txt", "annmark-1.txt"]
    assert len(jobs[0]["inbox_files"]) == 2


def test_no_known_attack_finds_another_users_rows(
    project: LocalProject, ann: User, bob: User, project_url: str
) -> None:
    """Every table, every verb, embedding, filters on hidden columns, guessed ids, the bucket."""
    with psycopg.connect(project_url) as connection:
        query = (
            "select (select json_agg(j) from inbox_jobs j), (select json_agg(f) from inbox_files f)"
        )
        before = connection.execute(query).fetchone()
    assert leaks(project, ann, bob) == []
    assert leaks(project, bob, ann) == []
    with psycopg.connect(project_url) as connection:
        assert connection.execute(query).fetchone() == before


def test_no_random_query_finds_another_users_rows(
    project: LocalProject, ann: User, bob: User
) -> None:
    """Selects, embeds, filters and calls; INBOX_TEST_QUERIES sets how many."""
    assert random_leaks(project, ann, bob, QUERIES, seed=1) == []
    assert random_leaks(project, bob, ann, QUERIES, seed=2) == []


@pytest.mark.parametrize(
    "damage",
    [
        """alter policy "read own jobs and the organisation's" on inbox_jobs using (true)""",
        """alter policy "read the files of jobs that can be read" on inbox_files using (true)""",
        """alter policy "inbox: read the own folder" on storage.objects using (true)""",
        "alter table inbox_jobs disable row level security",
    ],
)
def test_a_broken_policy_is_noticed(
    project: LocalProject, ann: User, bob: User, project_url: str, damage: str
) -> None:
    """The attacks above find rows as soon as one policy is wrong: they can fail."""
    sql(project_url, damage)
    assert leaks(project, ann, bob) != []
    if "storage" not in damage:
        assert random_leaks(project, ann, bob, 60, seed=1) != []


def test_colleagues_see_each_others_jobs(project: LocalProject, project_url: str) -> None:
    """By the organisation in app_metadata; what users write themselves counts for nothing."""
    ann, colleague = User("annmark", organisation="acme"), User("x", organisation="acme")
    stranger = User("y", organisation="other")
    ann.submit(project)
    with colleague.http(project) as browser:
        assert len(browser.get("/rest/v1/inbox_files?select=name").json()) == 2
        key = f"/storage/v1/object/inbox/{ann.id}/{ann.jobs[0]}/0.txt"
        assert browser.get(key).status_code == 400
    assert leaks(project, stranger, ann) == []
    with project.http(stranger.id, user_metadata={"organisation_id": "acme"}) as browser:
        assert browser.get("/rest/v1/inbox_jobs?select=id").json() == []
    with project.http(stranger.id, organisation_id="acme") as browser:
        assert browser.get("/rest/v1/inbox_jobs?select=id").json() == []


def test_nobody_without_a_user_sees_or_calls_anything(
    project: LocalProject, ann: User, project_url: str
) -> None:
    """The key that every browser has is not enough: no table, no function."""
    with psycopg.connect(project_url) as connection:
        functions = [
            row[0]
            for row in connection.execute(
                "select distinct proname from pg_proc where pronamespace = 'public'::regnamespace"
                " and proname like 'inbox%'"
            )
        ]
        query = """select p.oid::regprocedure::text, r.rolname from pg_proc p,
                          (values ('anon'), ('authenticated')) r (rolname)
                    where pronamespace in ('public'::regnamespace, 'inbox_private'::regnamespace)
                      and has_schema_privilege(r.rolname, pronamespace, 'usage')
                      and has_function_privilege(r.rolname, p.oid, 'execute')"""
        callable_by = connection.execute(query).fetchall()
    assert sorted(callable_by) == [
        ("inbox_correct_file(uuid,uuid,text,text,text)", "authenticated"),
        ("inbox_delete_label_set(text,text)", "authenticated"),
        ("inbox_label_set(text,text)", "authenticated"),
        ("inbox_list_label_sets(text)", "authenticated"),
        ("inbox_put_label_set(text,jsonb,text)", "authenticated"),
        ("inbox_submit_job(uuid,jsonb,jsonb,text,integer,jsonb,text)", "authenticated"),
    ]
    assert len(functions) > 10
    with project.http() as browser:
        for function in functions:
            answer = browser.post(f"/rest/v1/rpc/{function}", json={"p_job_id": str(ann.jobs[0])})
            assert answer.status_code >= 400, function
        for table in (
            "inbox_jobs",
            "inbox_files",
            "inbox_attempts",
            "inbox_submissions",
            "inbox_label_sets",
            "inbox_corrections",
        ):
            answer = browser.get(f"/rest/v1/{table}?select=*")
            assert answer.status_code == 401, table


def test_a_forged_or_lapsed_token_opens_nothing(project: LocalProject, ann: User) -> None:
    """The signature decides."""
    forged = user_token(ann.id)[:-4] + "AAAA"
    lapsed = token("authenticated", sub=str(ann.id), exp=1)
    with project.http(ann.id) as browser:
        for bearer in (forged, lapsed):
            browser.headers["authorization"] = f"Bearer {bearer}"
            assert browser.get("/rest/v1/inbox_jobs?select=id").status_code == 401


def _file(user: User, **more: Any) -> dict[str, Any]:
    return {"name": "a.txt", "storage_key": f"{user.id}/{user.jobs[0]}/0.txt"} | more


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda u, o: {"p_files": []}, "no_files"),
        (lambda u, o: {"p_files": None}, "no_files"),
        (lambda u, o: {"p_files": {"name": "x"}}, "no_files"),
        (lambda u, o: {"p_files": [_file(u)] * 501}, "too_many_files"),
        (lambda u, o: {"p_files": ["x"]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, name="")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, name=7)]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, name="../a")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, name="a\u202egpj.exe")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, name="a\nb")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, name="x" * 256)]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(o)]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, storage_key=None)]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, storage_key=f"{u.id}")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, storage_key=f"{u.id}/../x")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, storage_key=f"{u.id}0/x")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, storage_key=f"{u.id}/nothing")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, storage_key=f"jobs/{u.id}/1")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, sha256="0")]}, "invalid_request"),
        (lambda u, o: {"p_files": [_file(u, sha256=7)]}, "invalid_request"),
        (lambda u, o: {"p_job_id": None}, "invalid_request"),
        (lambda u, o: {"p_job_id": str(o.jobs[0])}, "invalid_request"),
        (lambda u, o: {"p_labels": ["one"]}, "invalid_labels"),
        (lambda u, o: {"p_labels": ["one", "ONE"]}, "invalid_labels"),
        (lambda u, o: {"p_labels": ["one", ""]}, "invalid_labels"),
        (lambda u, o: {"p_labels": ["one", "?!"]}, "invalid_labels"),
        (lambda u, o: {"p_labels": ["one", "x" * 65]}, "invalid_labels"),
        (lambda u, o: {"p_labels": ["one", {"name": "b", "x": 1}]}, "invalid_labels"),
        (lambda u, o: {"p_labels": ["one", {"name": "b", "description": 1}]}, "invalid_labels"),
        (lambda u, o: {"p_labels": [1, 2]}, "invalid_labels"),
        (lambda u, o: {"p_labels": {"a": 1}}, "invalid_labels"),
        (lambda u, o: {"p_labels": "a,b"}, "invalid_labels"),
        (lambda u, o: {"p_options": []}, "invalid_request"),
        (lambda u, o: {"p_options": {"ladder": "highest"}}, "invalid_request"),
        (lambda u, o: {"p_options": {"languages": "eng; rm"}}, "invalid_request"),
        (lambda u, o: {"p_options": {"unheard": "of"}}, "invalid_request"),
    ],
)
def test_a_users_job_is_checked_as_the_apis_are(
    project: LocalProject,
    ann: User,
    bob: User,
    change: Callable[[User, User], dict[str, Any]],
    code: str,
) -> None:
    """Limits, names, keys in the own folder that were uploaded, labels; a code says which."""
    body = {"p_job_id": str(uuid4()), "p_files": [_file(ann)]} | change(ann, bob)
    with ann.http(project) as browser:
        answer = browser.post(SUBMIT, json=body)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["code"], answer.json()["details"]) == ("22023", code)
    assert not traces(answer, bob)


def test_a_user_cannot_choose_whose_job_it_is(
    project: LocalProject, ann: User, project_url: str
) -> None:
    """Nor how often it is tried; sizes are those of the bucket."""
    job_id = uuid4()
    body = {
        "p_job_id": str(job_id),
        "p_files": [_file(ann, size_bytes=10**12)],
        "p_client_id": "somebody",
        "p_max_attempts": 100,
        "p_labels": [" one ", {"name": "two", "description": " what \n two is"}],
    }
    with ann.http(project) as browser:
        assert browser.post(SUBMIT, json=body).status_code == 200
        assert browser.post(SUBMIT, json=body).status_code == 200, "the same job again is the same"
    with psycopg.connect(project_url) as connection:
        found = connection.execute(
            "select client_id, owner_id, max_attempts, labels, total_files, size_bytes"
            " from inbox_jobs j join inbox_files f on f.job_id = j.id where j.id = %s",
            [job_id],
        ).fetchall()
    labels = [{"name": "one", "description": ""}, {"name": "two", "description": "what two is"}]
    assert found == [(str(ann.id), ann.id, 5, labels, 1, len("annmark"))]


def test_the_sizes_of_a_users_files_are_limited(
    project: LocalProject, ann: User, project_url: str
) -> None:
    """By what the owner of the database allows."""
    body = {"p_job_id": str(uuid4()), "p_files": [_file(ann)] * 2}
    for file_bytes, code in ((7, "job_too_large"), (6, "file_too_large")):
        limits = f"max_file_bytes = {file_bytes}, max_job_bytes = 7"
        sql(project_url, f"update inbox_private.user_limits set {limits}")
        with ann.http(project) as browser:
            assert browser.post(SUBMIT, json=body).json()["details"] == code


def test_uploads_go_to_the_own_folder_only_and_stay_as_they_are(
    project: LocalProject, ann: User, bob: User
) -> None:
    """No other folder, no overwriting, no removing."""
    key = f"{ann.id}/{ann.jobs[0]}/0.txt"
    part = {"file": ("f", b"changed")}
    with ann.http(project) as browser:
        for foreign in (f"{bob.id}/new.txt", "jobs/new.txt", "new.txt", f"jobs/{ann.id}/1"):
            answer = browser.post(f"/storage/v1/object/inbox/{foreign}", files=part)
            assert answer.json()["statusCode"] == "403", foreign
        again = browser.post(
            f"/storage/v1/object/inbox/{key}", files=part, headers={"x-upsert": "true"}
        )
        assert again.json()["statusCode"] == "403"
        browser.request("DELETE", "/storage/v1/object/inbox", json={"prefixes": [key]})
        assert browser.get(f"/storage/v1/object/inbox/{key}").content == b"annmark"


def test_a_job_submitted_through_the_project_alone_is_done(
    project: LocalProject, ann: User, tmp_path: object
) -> None:
    """Upload, rpc, watch: the user's own query sees progress grow to 100."""
    with Inbox(project.settings(data_dir=tmp_path)) as inbox, ann.http(project) as browser:
        seen = []

        def look() -> tuple[str, int, int]:
            query = (
                f"/rest/v1/inbox_jobs?select=status,progress,processed_files&id=eq.{ann.jobs[0]}"
            )
            (row,) = browser.get(query).json()
            return row["status"], row["progress"], row["processed_files"]

        seen.append(look())
        lease = inbox.claim()
        assert lease is not None
        with inbox.hold(lease):
            for file in lease.files:
                inbox.classify(lease, file, inbox.extract(lease, file))
                seen.append(look())
            assert inbox.finish(lease) == JobStatus.COMPLETED
        seen.append(look())
    assert seen == [
        ("pending", 0, 0),
        ("processing", 50, 1),
        ("processing", 100, 2),
        ("completed", 100, 2),
    ]


def test_servers_see_every_job(project: LocalProject, ann: User) -> None:
    """The secret key's role is above the policies; a client id still keeps clients apart."""
    with Store(SupabaseTransport(open_project(project.settings()), 1), 30, 1) as store:
        assert store.get(ann.jobs[0]).total_files == 2
        with pytest.raises(JobNotFound):
            store.get(ann.jobs[0], "local")
