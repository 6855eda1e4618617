"""`inbox up`: the whole trip through real processes, and what is left when they die."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pikepdf
import processes
import psutil
import pytest
from environment import without_ours
from house import PLAIN, House, wait_until
from scans import cancel_a_scan, readers

from inbox.samples import business
from inbox.samples.sheet import pdf

STOP_SECONDS = 10


def write_files(folder: Path) -> list[Path]:
    """Two readable files and one that is not."""
    invoice = folder / "a.txt"
    invoice.write_text("INVOICE\nInvoice number 12\nBill to: Ada\nTotal amount due: 12.00\n")
    letter = folder / "b.txt"
    letter.write_text("Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n")
    broken = folder / "c.pdf"
    broken.write_bytes(b"%PDF-1.7\nnothing of the kind")
    return [invoice, letter, broken]


def test_files_that_are_posted_are_classified(house: House, tmp_path: Path) -> None:
    """Labels with evidence for the good files, a code for the broken one."""
    job_id = house.submit(write_files(tmp_path))
    job = house.finished(job_id)
    assert (job["status"], job["progress"], job["processed_files"]) == ("completed", 100, 3)
    result = job["result"]
    assert (result["successful"], result["failed"]) == (2, 1)
    outcomes = [(one["label"], one["error_code"]) for one in result["results"]]
    assert outcomes == [("invoice", None), ("letter", None), (None, "corrupt_file")]
    assert all(one["evidence"] for one in result["results"][:2])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere runs are not forked")
def test_the_readers_of_runs_are_forks_of_one_process(house: House, letters: list[Path]) -> None:
    """No run starts an interpreter to read its files, and its readers end with it."""
    job_id = house.submit(letters)
    wait_until(lambda: bool(readers(house)), 120, house.logs)
    runs = {run.pid for run in house.named("prefork-run")}
    programs = house.children("inbox.extract.sandbox.zygote")
    assert not [program for program in programs if program.ppid() in runs]
    house.finished(job_id)
    wait_until(lambda: not readers(house), 60, house.logs)


def test_locked_files_open_with_their_password(house: House, tmp_path: Path) -> None:
    """However it was sent: by the API, or by the command line beside it. Links open, too."""
    plain, locked = tmp_path / "plain.pdf", tmp_path / "locked.pdf"
    plain.write_bytes(pdf([business.invoice()]))
    with pikepdf.open(plain) as document:
        document.save(locked, encryption=pikepdf.Encryption(owner="owner", user="sesame"))
    by_api = house.finished(house.submit([locked], passwords="sesame"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "inbox.cli", "submit", str(locked)),
            *("--password", "sesame", "--wait", "--json"),
        ],
        env=without_ours() | {"INBOX_DATA_DIR": str(house.home / "data")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for job in (by_api, json.loads(done.stdout)):
        assert [one["label"] for one in job["result"]["results"]] == ["invoice"]
        file_id = job["result"]["results"][0]["file_id"]
        place = f"{house.url('API')}/job/{job['job_id']}/files/{file_id}/link"
        made = httpx.post(place, timeout=60, **PLAIN).json()
        assert httpx.get(made["url"], timeout=60, **PLAIN).text


def test_progress_grows_file_by_file_and_never_falls(house: House, letters: list[Path]) -> None:
    """Whoever polls the table sees pending, processing, completed and every file in between."""
    job_id = house.submit(letters)
    seen: list[tuple[str, int, int]] = []

    def over() -> bool:
        row = house.query(
            "select status, progress, processed_files from inbox_jobs where id = %s", job_id
        )[0]
        if not seen or row != seen[-1]:
            seen.append((row[0], row[1], row[2]))
        return row[0] == "completed"

    wait_until(over, 180, house.logs)
    assert list(dict.fromkeys(row[0] for row in seen)) == [
        "pending",
        "processing",
        "completed",
    ]
    assert seen == sorted(seen, key=lambda row: (row[1], row[2]))
    assert len({row[2] for row in seen}) >= 4


def test_rows_inserted_by_sql_alone_are_processed(house: House, tmp_path: Path) -> None:
    """The table is the interface: no API takes part."""
    file = write_files(tmp_path)[0]
    key = f"dropped/{uuid4()}"
    target = house.home / "data" / "blobs" / key
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.read_bytes())
    job_id = house.query("insert into inbox_jobs default values returning id")[0][0]
    house.query(
        "insert into inbox_files (job_id, name, storage_key) values (%s, 'a.txt', %s)", job_id, key
    )
    job = house.finished(job_id)
    assert job["result"]["results"][0]["label"] == "invoice"


def test_the_run_in_prefect_bears_the_jobs_name_and_no_files(house: House, tmp_path: Path) -> None:
    """Ops people find a job's run; Prefect's database never learns a file's name or text."""
    secret = tmp_path / "Kündigung-Müller.txt"
    secret.write_text("Dear Mr Zyzzyva,\nthank you for your letter.\nYours sincerely,\n")
    broken = tmp_path / "Zyzzyva.pdf"
    broken.write_bytes(b"%PDF-1.7\nZyzzyva")
    job_id = house.submit([secret, broken])
    house.finished(job_id)
    api = f"{house.url('Prefect')}/api"
    with httpx.Client(base_url=api, timeout=30, **PLAIN) as client:
        body = {"flow_runs": {"name": {"any_": [f"job-{job_id}"]}}}

        def ended() -> bool:
            runs = client.post("/flow_runs/filter", json=body).json()
            return [run["state_type"] for run in runs] == ["COMPLETED"]

        wait_until(ended, 30, house.logs)
        runs = client.post("/flow_runs/filter", json=body)
        assert runs.json()[0]["parameters"] == {"job_id": str(job_id)}

        def recorded() -> bool:  # Prefect writes task runs in batches, a moment later
            found = client.post("/task_runs/filter", json=body).json()
            return {run["name"]: run["state_type"] for run in found} == {
                "extract-1": "COMPLETED",
                "extract-2": "FAILED",
                "classify-1": "COMPLETED",
            }

        wait_until(recorded, 60, house.logs)
        tasks = client.post("/task_runs/filter", json=body)
        logs = client.post("/logs/filter", json={"limit": 200, "sort": "TIMESTAMP_DESC"})
        everything = runs.text + tasks.text + logs.text + house.logs()
    assert "Zyzzyva" not in everything
    assert "Müller" not in everything


def test_a_running_job_is_cancelled(house: House, letters: list[Path]) -> None:
    """The job ends as cancelled within seconds, and its compute is gone."""
    job_id = house.submit(letters * 5)
    wait_until(lambda: house.job(job_id)["processed_files"] >= 1, 120, house.logs)
    answer = httpx.post(f"{house.url('API')}/job/{job_id}/cancel", timeout=30, **PLAIN)
    assert answer.status_code == 202
    wait_until(lambda: house.job(job_id)["status"] == "cancelled", 10, house.logs)
    states = {one["status"] for one in house.job(job_id)["result"]["results"]}
    assert states == {"completed", "cancelled"}


def test_a_cancelled_scan_leaves_nothing_that_computes(house: House, tmp_path: Path) -> None:
    """200 pages are being recognised; the job is cancelled, and its processes are gone."""
    job_id, seconds, processes = cancel_a_scan(house, tmp_path)
    assert processes >= 2
    assert seconds < 20  # measured: between one and five
    assert [file["status"] for file in house.job(job_id)["result"]["results"]] == ["cancelled"]


def test_a_run_cancelled_in_prefect_cancels_the_job(house: House, letters: list[Path]) -> None:
    """Who presses cancel in Prefect's pages has cancelled the job."""
    job_id = house.submit(letters * 5)
    wait_until(lambda: house.job(job_id)["processed_files"] >= 1, 120, house.logs)
    api = f"{house.url('Prefect')}/api"
    body = {"flow_runs": {"name": {"any_": [f"job-{job_id}"]}}}
    with httpx.Client(base_url=api, timeout=30, **PLAIN) as client:
        run = client.post("/flow_runs/filter", json=body).json()[0]
        client.post(
            f"/flow_runs/{run['id']}/set_state",
            json={"state": {"type": "CANCELLING", "name": "Cancelling"}},
        ).raise_for_status()
    wait_until(lambda: house.job(job_id)["status"] == "cancelled", 60, house.logs)


def test_a_killed_worker_loses_nothing(house: House, letters: list[Path]) -> None:
    """Kill -9 of the worker and the run: another goes on, and finished files are not redone."""
    job_id = house.submit(letters)
    wait_until(lambda: house.job(job_id)["processed_files"] >= 2, 120, house.logs)
    processes.send([*house.children("worker"), *house.named("prefork-run")])
    done = finished_files(house, job_id)
    assert 2 <= len(done) < len(letters)
    job = house.finished(job_id)
    assert (job["status"], job["result"]["successful"]) == ("completed", len(letters))
    assert job["attempt"] >= 2
    assert finished_files(house, job_id).items() >= done.items()
    wait_until(lambda: bool(house.children("worker")), 30, house.log)


def test_a_killed_dispatch_run_is_followed_by_another(house: House, letters: list[Path]) -> None:
    """Its on_crashed hook starts the next one at once; the schedule's may be a minute away."""
    api = f"{house.url('Prefect')}/api"

    def dispatches() -> dict[str, dict[str, str]]:
        body = {"flows": {"name": {"any_": ["dispatch"]}}}
        runs = httpx.post(f"{api}/flow_runs/filter", json=body, timeout=30, **PLAIN)
        return {run["id"]: run for run in runs.raise_for_status().json()}

    def old() -> list[psutil.Process]:
        return [run for run in house.named("prefork-run") if time.time() - run.create_time() > 8]

    wait_until(lambda: bool(old()), 60, house.logs)
    before = dispatches()
    processes.send(house.named("prefork-run"))
    wait_until(
        lambda: any(
            run["id"] not in before and not run["auto_scheduled"] and run["start_time"]
            for run in dispatches().values()
        ),
        30,
        house.logs,
    )
    states = {run["state_type"] for run in dispatches().values() if run["id"] in before}
    assert "CRASHED" in states
    house.finished(house.submit(letters[:1]))


def test_a_dispatch_run_leaves_few_events_in_prefect(house: House) -> None:
    """One a minute fills Prefect's database; each event costs a row for each thing it names."""
    api = f"{house.url('Prefect')}/api"
    with httpx.Client(base_url=api, timeout=30, **PLAIN) as client:
        run = completed_dispatch(house, client)
        body = {"filter": {"any_resource": {"id": [f"prefect.flow-run.{run}"]}}, "limit": 50}

        def events() -> dict[str, list[list[dict[str, str]]]]:
            found: dict[str, list[list[dict[str, str]]]] = {}
            for event in client.post("/events/filter", json=body).json()["events"]:
                found.setdefault(event["event"], []).append(event["related"])
            return found

        last = {"prefect.flow-run.Completed", "prefect.worker.executed-flow-run"}
        wait_until(lambda: last <= events().keys(), 120, house.logs)  # they are written in batches
        found = events()
    unscheduled = {"prefect.flow-run.Scheduled", "prefect.flow-run.Late"}
    assert found.keys() - unscheduled <= {
        "prefect.flow-run.Pending",
        "prefect.flow-run.Running",
        "prefect.flow-run.heartbeat",
        "prefect.flow-run.Completed",
        "prefect.worker.submitted-flow-run",
        "prefect.worker.executed-flow-run",
    }
    assert {name for name, each in found.items() if len(each) > 1} == set()
    named = [each["prefect.resource.id"] for ((*related,),) in found.values() for each in related]
    assert [name for name in named if name.startswith("prefect.tag.")] == []


def completed_dispatch(house: House, client: httpx.Client) -> str:
    """The id of a new dispatch run whose time was over when it began, so that it ended at once."""
    deployment = client.get("/deployments/name/dispatch/dispatch").raise_for_status().json()
    due = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    body = {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}}
    runs: list[str] = []

    def state() -> str:
        run = client.get(f"/flow_runs/{runs[-1]}").raise_for_status().json()
        return str(run["state_type"])

    def completed() -> bool:
        if not runs or state() in {"CANCELLED", "CRASHED"}:  # no slot, or a worker of before ended
            made = client.post(f"/deployments/{deployment['id']}/create_flow_run", json=body)
            runs.append(made.raise_for_status().json()["id"])
        return state() == "COMPLETED"

    wait_until(completed, 180, house.logs)
    return runs[-1]


def finished_files(house: House, job_id: UUID) -> dict[int, object]:
    """When each finished file was finished, by its number."""
    rows = house.query(
        "select number, finished_at from inbox_files where job_id = %s and finished_at is not null",
        job_id,
    )
    return dict(rows)


def test_ctrl_c_stops_everything(build: Callable[..., House], letters: list[Path]) -> None:
    """Within ten seconds, in the middle of a job, leaving no process; the job goes on next time."""
    house = build()
    job_id = house.submit(letters)
    wait_until(lambda: house.job(job_id)["processed_files"] >= 1, 120, house.logs)
    family = house.process.children(recursive=True)
    assert house.stop(signal.SIGINT) < STOP_SECONDS
    assert not processes.left_after(family, 1)
    again = build()
    job = again.finished(job_id)
    assert (job["status"], job["result"]["successful"]) == ("completed", len(letters))
    charged = again.query("select charged_attempts from inbox_jobs where id = %s", job_id)
    assert charged == [(0,)]


def test_a_kill_of_everything_is_survived(build: Callable[..., House], letters: list[Path]) -> None:
    """Power loss: every process is killed at once; the next start completes the job."""
    house = build()
    job_id = house.submit(letters)
    wait_until(lambda: house.job(job_id)["processed_files"] >= 1, 120, house.logs)
    family = [*house.process.children(recursive=True), house.process]
    processes.send(family, signal.SIGSTOP)
    processes.send(family)
    processes.left_after(family, 10)
    job = build().finished(job_id)
    assert (job["status"], job["result"]["successful"]) == ("completed", len(letters))


def test_a_run_that_outlived_its_worker_is_stopped_too(
    build: Callable[..., House], letters: list[Path]
) -> None:
    """Kill -9 of the worker, then Ctrl-C: the orphaned run hands its job back and is gone."""
    house = build()
    job_id = house.submit(letters)
    wait_until(lambda: house.job(job_id)["processed_files"] >= 1, 120, house.logs)
    runs = house.named("prefork-run")
    processes.send(house.children("worker"))
    house.stop(signal.SIGINT)
    assert not processes.left_after(runs, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: PDEATHSIG")
def test_a_killed_owner_leaves_no_process(build: Callable[..., House]) -> None:
    """Kill -9 of `inbox up` itself takes its parts with it."""
    house = build()
    family = house.process.children(recursive=True)
    house.process.kill()
    house.stop()
    assert not processes.left_after(family, 20)
