"""Register the work pool and both deployments with the Prefect server of PREFECT_API_URL.

The pool is of type prefork, with the flows' modules in its warm process. A pool that is there
already stays as it is; one of type process serves as well. May be repeated:

    python -m deployments.deploy [--close-stale]

`--close-stale` first closes the runs that a dead stack left behind: those that are marked as
running though no worker of the pool can be alive, and dispatch runs that are overdue.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from prefect.cli import app
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectAlreadyExists
from prefect.states import Cancelled, Crashed

from prefork.worker import PreforkWorker
from tasks.launch import start_dispatch

POOL = "inbox"
DEFAULTS = {
    "preload": [
        "flows.process_job",
        "flows.dispatch",
        # What nearly every job loads when it needs it.
        "inbox.classify.lexicon:warm_up",
        "inbox.store.postgres",
        "inbox.extract:keep_nursery",
    ],
    # A run that is told to stop hands its job back, so it is told soon.
    "drain_seconds": 1,
    "stop_seconds": 6,
}
PAGE = 200


def main() -> None:
    """Register, by way of `prefect deploy --all`, and start the first dispatch run."""
    with get_client(sync_client=True) as client:
        create_pool(client)
        if "--close-stale" in sys.argv[1:]:
            close_stale_runs(client)
    sys.argv = ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(prefect_file())]
    try:
        app()
    except SystemExit as done:
        if done.code:
            raise
    # The schedule's first run may be a minute away.
    start_dispatch()


def create_pool(client: SyncPrefectClient) -> None:
    """Create the work pool, of type prefork, unless there is one of this name."""
    template = PreforkWorker.get_default_base_job_template()
    for name, value in DEFAULTS.items():
        template["variables"]["properties"][name]["default"] = value
    pool = WorkPoolCreate(name=POOL, type=PreforkWorker.type, base_job_template=template)
    try:
        client.create_work_pool(pool)
    except ObjectAlreadyExists:
        kind = client.read_work_pool(POOL).type
        if kind != PreforkWorker.type:
            sys.stdout.write(
                f"The work pool {POOL} is of type {kind} and stays so; runs start sooner on one of "
                f"type {PreforkWorker.type}: delete the pool, and register again.\n"
            )


def close_stale_runs(client: SyncPrefectClient) -> None:
    """Close what a dead stack left behind, so that it holds no concurrency slot."""
    for run in runs_of(client, ["process-job", "dispatch"], StateType.RUNNING, StateType.PENDING):
        dead: State[None] = Crashed(message="The worker of this run is gone.")
        client.set_flow_run_state(run.id, dead, force=True)
    for run in runs_of(client, ["dispatch"], StateType.SCHEDULED):
        if run.expected_start_time and run.expected_start_time < datetime.now(UTC):
            client.set_flow_run_state(run.id, Cancelled(message="Overdue."), force=True)


def runs_of(client: SyncPrefectClient, flows: list[str], *states: StateType) -> list[FlowRun]:
    """Runs of these flows in these states."""
    found: list[FlowRun] = []
    while page := client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=flows)),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))
        ),
        limit=PAGE,
        offset=len(found),
    ):
        found += page
    return found


def prefect_file() -> Path:
    """prefect.yaml: beside this module in a wheel, else at the top of the checkout."""
    here = Path(__file__).parent / "prefect.yaml"
    return here if here.exists() else Path(__file__).parents[1] / "prefect.yaml"


if __name__ == "__main__":
    main()
