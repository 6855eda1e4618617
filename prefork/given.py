"""What a worker knows already is given to the run, which then need not ask the server for it.

Before its first line a run would read itself, its flow, its deployment, its queue, its pool and the
server's default for results, and subscribe to events to hear whether it is being suspended. Here
one worker asks once for all runs that it found in one look. As in `internals`, these are parts of
Prefect that are not its public interface.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import _flow_run_suspension as suspension
from prefect import flow_engine, results
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.client.schemas.objects import Flow, FlowRun, State, WorkPool, WorkQueue
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events import related
from prefect.states import Pending
from pydantic import BaseModel

if TYPE_CHECKING:
    import socket

LASTING_SECONDS = 10.0

EXPECTED = {
    flow_engine.load_flow_run: "(flow_run_id)",
    suspension.observe_flow_run_suspension: (
        "(flow_run_id, suspension_request, polling_interval=10)"
    ),
    suspension.mark_flow_run_suspension_requested: "(flow_run_id, state)",
    results._read_server_default_result_storage_block_id: "()",
    results._aread_server_default_result_storage_block_id: "()",
    SyncPrefectClient.set_flow_run_name: "(self, flow_run_id, name)",
    PrefectClient.read_deployment: "(self, deployment_id)",
    PrefectClient.read_flow: "(self, flow_id)",
    related._get_and_cache_related_object: "(kind, role, client_method, obj_id, cache)",
}


class Given(BaseModel):
    """What a run is given; it travels as JSON.

    Attributes:
        flow_run: the run as the worker found it, and pending.
        deployment: what it is a run of.
        flow: its flow.
        work_pool: the pool of the worker.
        default_storage: the server's default block for results.
    """

    flow_run: FlowRun
    deployment: DeploymentResponse
    flow: Flow
    work_pool: WorkPool
    default_storage: UUID | None

    @classmethod
    def of(
        cls,
        flow_run: FlowRun,
        deployment: DeploymentResponse,
        flow: Flow,
        work_pool: WorkPool,
        default_storage: UUID | None,
    ) -> Given:
        """What a worker gives a run that it has made pending."""
        return cls(
            flow_run=flow_run.model_copy(
                update={"state": Pending(), "work_pool_name": work_pool.name}
            ),
            deployment=deployment,
            flow=flow,
            work_pool=work_pool.model_copy(update={"base_job_template": {}}),
            default_storage=default_storage,
        )


# -- in the worker --------------------------------------------------------------------


class Reads:
    """Makes a client read each deployment once for all runs that were found in one look.

    Flows, of which a run takes the name and the tags, and the default for results are read once
    in a while.

    Args:
        client: changed in place.
    """

    def __init__(self, client: PrefectClient) -> None:
        self._found: dict[Any, asyncio.Task[Any]] = {}
        self._lasting: dict[Any, asyncio.Task[Any]] = {}
        self._lasts_until = 0.0
        self._read_storage = client.read_server_default_result_storage
        theirs: Any = client
        theirs.read_deployment = self._once(client.read_deployment, self._found)
        theirs.read_flow = self._once(client.read_flow, self._lasting)

    def forget(self) -> None:
        """Read deployments anew from now on, and what seldom changes now and then."""
        self._found.clear()
        if time.monotonic() > self._lasts_until:
            self._lasting.clear()
            self._lasts_until = time.monotonic() + LASTING_SECONDS

    async def default_storage(self) -> UUID | None:
        """The server's default block for results; None also where it does not say."""
        try:
            found = await self._remember(self._lasting, "storage", self._read_storage)
        except Exception:  # noqa: BLE001 - a run would take it so, too
            return None
        return UUID(str(block)) if (block := found.default_result_storage_block_id) else None

    def _once(
        self, read: Callable[[UUID], Awaitable[Any]], found: dict[Any, asyncio.Task[Any]]
    ) -> Callable[[UUID], Awaitable[Any]]:
        async def remembered(object_id: UUID | str) -> Any:
            known = UUID(str(object_id))
            thing = await self._remember(found, known, lambda: read(known))
            return thing.model_copy(deep=True)  # as the worker changes what it has read

        return remembered

    async def _remember(
        self, found: dict[Any, asyncio.Task[Any]], key: Any, read: Callable[[], Awaitable[Any]]
    ) -> Any:
        if key not in found:
            found[key] = asyncio.ensure_future(read())
        try:
            return await asyncio.shield(found[key])
        except Exception:
            found.pop(key, None)
            raise


# -- in a run -------------------------------------------------------------------------


def use(given: Given, line: socket.socket) -> None:
    """Have this process's engine take what it was given.

    Args:
        given: from the worker.
        line: on which the worker says, in a line of JSON, that the run is being suspended.
    """
    run = given.flow_run
    _know_relations(given)
    _know_storage(given.default_storage)
    _know_name(run)
    load = flow_engine.load_flow_run

    def known_flow_run(flow_run_id: UUID) -> FlowRun:
        return run if flow_run_id == run.id else load(flow_run_id)

    flow_engine.load_flow_run = known_flow_run
    suspending = _Suspending(run.id)
    engine: Any = flow_engine
    engine.observe_flow_run_suspension = suspending.observed
    threading.Thread(target=suspending.listen, args=(line,), daemon=True).start()


def _know_relations(given: Given) -> None:
    run, now = given.flow_run, datetime.now(UTC)
    known: dict[tuple[str, Any], Any] = {
        ("flow", run.flow_id): given.flow,
        ("deployment", run.deployment_id): given.deployment,
        ("work-pool", given.work_pool.name): given.work_pool,
    }
    deployment = given.deployment
    if run.work_queue_id == deployment.work_queue_id and deployment.work_queue_name:
        queue = WorkQueue(
            id=run.work_queue_id, name=deployment.work_queue_name, work_pool_id=given.work_pool.id
        )
        known["work-queue", run.work_queue_id] = queue
    for (kind, name), thing in known.items():
        entry: Any = ({"kind": kind, "object": thing}, now)
        related.RESOURCE_CACHE[f"{kind}.{name}"] = entry


def _know_storage(default: UUID | None) -> None:
    async def known() -> UUID | None:
        return default

    results._aread_server_default_result_storage_block_id = known
    results._read_server_default_result_storage_block_id = lambda: default


def _know_name(run: FlowRun) -> None:
    """Leave out giving the run the name that it has."""
    has = run.name
    give = SyncPrefectClient.set_flow_run_name

    def set_flow_run_name(client: SyncPrefectClient, flow_run_id: UUID, name: str) -> Any:
        nonlocal has
        if flow_run_id != run.id:
            return give(client, flow_run_id, name)
        if name == has:
            return None
        has = name
        return give(client, flow_run_id, name)

    patched: Any = SyncPrefectClient
    patched.set_flow_run_name = set_flow_run_name


class _Suspending:
    """Whether the run of this process is being suspended, as its worker says."""

    def __init__(self, flow_run_id: UUID) -> None:
        self._flow_run_id = flow_run_id
        self._state: State[Any] | None = None
        self._request: suspension.FlowRunSuspensionRequest | None = None

    def listen(self, line: socket.socket) -> None:
        """Pass on what the worker says; where it has died, ask the server as Prefect does."""
        with suppress(OSError), line.makefile("rb") as said:
            for state in said:
                self._state = State.model_validate_json(state)
                suspension.mark_flow_run_suspension_requested(self._flow_run_id, self._state)
        if self._request is not None:
            with suspension.observe_flow_run_suspension(self._flow_run_id, self._request):
                threading.Event().wait()

    @contextmanager
    def observed(
        self,
        flow_run_id: UUID,
        suspension_request: suspension.FlowRunSuspensionRequest,
        polling_interval: float = 10,  # noqa: ARG002 - as Prefect's own
    ) -> Iterator[None]:
        """In place of an observer of the run's own."""
        if flow_run_id == self._flow_run_id:
            self._request = suspension_request
            if self._state is not None:  # it came before the engine listened
                suspension_request.mark_requested(self._state)
        yield
