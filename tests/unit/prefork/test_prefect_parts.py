"""The parts of Prefect that prefork is made of, and what prefork tells Prefect about itself."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import prefect
import pytest
from prefect.workers.process import ProcessWorker

from prefork import given, internals
from prefork.watch import Watch
from prefork.wire import Job, read_job, write_job
from prefork.worker import PreforkWorker


def shape(part: Any) -> str:
    """A signature without its types."""
    signature = inspect.signature(part)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)).split(
        " object at "
    )[0]


EXPECTED = internals.EXPECTED | given.EXPECTED


@pytest.mark.parametrize("part", EXPECTED, ids=lambda part: part.__qualname__)
def test_a_private_part_of_prefect_is_as_it_was(part: Any) -> None:
    """An upgrade of Prefect that moves a part fails here: adapt internals.py or given.py."""
    expected = EXPECTED[part].split(" object>")[0]
    assert shape(part) == expected, f"{prefect.__version__}, not {internals.TESTED_WITH}"


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("worker", ("_submit_run_and_capture_errors", "_propose_submitting_state")),
        ("worker", ("_give_worker_labels_to_flow_run", "get_and_submit_flow_runs", "teardown")),
        ("worker", ("_submit_scheduled_flow_runs",)),
        ("configuration", ("_base_environment", "from_template_and_values")),
    ],
)
def test_what_prefork_overrides_is_still_called_so(place: str, names: tuple[str, ...]) -> None:
    """An override that overrides nothing would do nothing, silently."""
    owner = ProcessWorker if place == "worker" else ProcessWorker.job_configuration
    assert all(hasattr(owner, name) for name in names)


def test_the_template_of_a_pool_is_known_without_a_server() -> None:
    """All variables of the process type and those of prefork, each with a description."""
    template = PreforkWorker.get_default_base_job_template()
    process = ProcessWorker.get_default_base_job_template()
    ours, theirs = (found["variables"]["properties"] for found in (template, process))
    assert set(ours) - set(theirs) == {"preload", "check_code", "drain_seconds", "stop_seconds"}
    assert {name: ours[name] for name in theirs} == theirs
    assert template["job_configuration"]["preload"] == "{{ preload }}"
    assert all(ours[name]["description"] for name in ours)


def test_prefect_finds_the_type_by_the_entry_point() -> None:
    """`--type prefork` needs no import of one's own."""
    ask = (
        "from prefect.workers.base import BaseWorker;"
        "print(BaseWorker.get_worker_class_from_type('prefork').__module__)"
    )
    found = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "prefork.worker"


def test_a_job_travels_whole() -> None:
    """Whatever is in the environment, and however much, reaches the child."""
    job = Job("run", {"A": "x" * 300_000, "Ä": "ö\n"}, "/", "m", ["1", "2"])
    assert read_job(write_job(job)) == job


def test_code_that_changes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that was written anew, and nothing else, makes the watch say so."""
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "watched_by_a_test.py"
    module.write_text("")
    __import__("watched_by_a_test")
    try:
        watch = Watch()
        assert not watch.changed()
        os.utime(module, ns=(1, 1))
        assert watch.changed()
    finally:
        del sys.modules["watched_by_a_test"]
