"""The demonstration: sample documents through the whole trip, by way of the HTTP API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from uuid import UUID

import httpx
from rich.console import Console

from inbox.cli.base import say
from inbox.cli.follow import live
from inbox.cli.show import show_job
from inbox.errors import ConfigurationError
from inbox.model import FileResult, Job
from inbox.samples import Sample, write_samples
from inbox.settings import Settings
from inbox.up import Stack

POLL_SECONDS = 0.25
JOB_SECONDS = 600.0


def run_demo(
    settings: Settings,
    say_event: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
) -> bool:
    """Start everything, run one job over the samples, stop everything.

    Args:
        settings: see `Settings`.
        say_event: told one line per event.
        environment: more variables for the programs that are started.

    Returns:
        Whether every sample got its label, and the broken ones their error codes.
    """
    began = time.monotonic()
    samples = write_samples(settings.data_dir / "samples")
    ours = {"INBOX_CLASSIFIER": "lexicon", "INBOX_HOST": settings.host}
    with Stack(settings, say_event, 0, 0, ours | dict(environment or {})) as stack:
        say_event(f"everything runs after {time.monotonic() - began:.0f} s; submitting")
        with httpx.Client(base_url=stack.api_url, timeout=60, trust_env=False) as client:
            job = follow(client, submit(client, samples), stack.watch)
        show_job(job, Console())
    wrong = compare(samples, job)
    for line in wrong:
        say(line)
    say(
        f"{len(samples) - len(wrong)} of {len(samples)} samples ended as expected; "
        f"{time.monotonic() - began:.0f} s in all, start and stop included"
    )
    return not wrong


def submit(client: httpx.Client, samples: Sequence[Sample]) -> UUID:
    """Post the samples as one job; its id."""
    with ExitStack() as opened:
        files = [
            ("files", (sample.path.name, opened.enter_context(sample.path.open("rb"))))
            for sample in samples
        ]
        answer = client.post("/classify-documents-async", files=files).raise_for_status()
    return UUID(answer.json()["job_id"])


def follow(client: httpx.Client, job_id: UUID, watch: Callable[[], None]) -> Job:
    """Show the job live until it is over, while `watch` keeps what it needs alive.

    Raises:
        ConfigurationError: it is not over after ten minutes.
    """
    until = time.monotonic() + JOB_SECONDS
    with live() as view:
        while time.monotonic() < until:
            watch()
            job = Job.model_validate_json(client.get(f"/job/{job_id}").raise_for_status().content)
            view.update(job)
            if job.status.terminal:
                return job
            time.sleep(POLL_SECONDS)
    raise ConfigurationError(
        f"the job is not over after {JOB_SECONDS:.0f} s; try `inbox demo --keep FOLDER` and look "
        "at FOLDER/logs"
    )


def compare(samples: Sequence[Sample], job: Job) -> list[str]:
    """A sentence for each sample that ended otherwise than expected."""
    found = () if job.result is None else job.result.results
    results = [result for result in found if result.parent_id is None]
    return [
        f"{result.filename}: {outcome(result)} instead of {sample.label or sample.error_code}"
        for sample, result in zip(samples, results, strict=True)
        if (result.label, result.error_code) != (sample.label, sample.error_code)
    ]


def outcome(result: FileResult) -> str:
    """How a file ended, in a word."""
    return result.label or result.error_code or result.status.value
