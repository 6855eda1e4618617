"""Warm processes without a server: how they warm up, and when they end."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import psutil
import pytest
from house import wait_until

from prefork.zygotes import Gone, Zygote, Zygotes

LOGGER = logging.getLogger("test.prefork")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables with which two modules can be imported."""
    (tmp_path / "restless.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    (tmp_path / "quiet.py").write_text("")
    (tmp_path / "eager.py").write_text(
        "import pathlib\n"
        "def begin():\n"
        "    pathlib.Path(__file__).with_name('begun').touch()\n"
        "def fail():\n"
        "    raise RuntimeError('not today')\n"
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    return dict(os.environ) | {"PYTHONPATH": path, "PREFECT_HOME": str(tmp_path)}


async def warm(environment: dict[str, str], *modules: str) -> dict[str, object]:
    """What the process that is used for these modules reports."""
    zygotes = Zygotes(LOGGER)
    try:
        zygote = await zygotes._warm(modules, environment, watch=True)
        report: dict[str, object] = await zygote.report()
        return report | {"problems": dict(report["problems"])}  # type: ignore[call-overload]
    finally:
        zygotes.close()


def test_a_module_that_starts_threads_is_not_preloaded(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """White box: what is forked has one thread, whatever was asked for."""
    assert asyncio.run(warm(environment, "restless"))["threads"] == 1
    assert "restless starts threads" in caplog.text


def test_a_module_that_is_not_there_stops_nothing(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """White box: the worker says what could not be imported and goes on."""
    assert asyncio.run(warm(environment, "quiet", "not_there"))["threads"] == 1
    assert "Cannot load not_there" in caplog.text
    assert "quiet" not in caplog.text


def test_a_function_of_a_module_may_be_named_as_well(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """White box: the warm process calls it once, before it forks; one that fails stops nothing."""
    assert asyncio.run(warm(environment, "eager:begin", "eager:fail"))["threads"] == 1
    assert (tmp_path / "begun").exists()
    assert "Cannot load eager:fail" in caplog.text
    assert "not today" in caplog.text
    assert "eager:begin" not in caplog.text


def test_a_warm_process_ends_with_its_worker(environment: dict[str, str]) -> None:
    """The end of the socket is the end of the process, warm or still importing."""

    async def start_and_let_go(*, wait: bool) -> int:
        zygote = Zygote.start([], environment, watch=True)
        if wait:
            await zygote.report()
        zygote.close()
        return zygote.pid

    for wait in (False, True):
        pid = asyncio.run(start_and_let_go(wait=wait))
        wait_until(lambda pid=pid: not psutil.pid_exists(pid), 20)  # type: ignore[misc]


def test_a_killed_warm_process_is_gone(environment: dict[str, str]) -> None:
    """Whoever waits for a process that is killed while it warms up hears of it."""

    async def start_and_kill() -> None:
        zygote = Zygote.start([], environment, watch=True)
        psutil.Process(zygote.pid).kill()
        await zygote.report()

    with pytest.raises(Gone):
        asyncio.run(start_and_kill())
