"""A long run with a SIGKILL every 20 seconds: nothing lost, nothing doubled, nothing grows.

Jobs keep coming, three workers and an API run, and in turn a worker, a worker's reader, the API and
Postgres are killed. `python -m chaos.soak --seconds 600` ends with a JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import psutil
from processes import send

from chaos.checks import check, expect_whole
from chaos.outside_faults import make_old
from chaos.rig import Rig, bench, wait_for

KILL_EVERY = 20.0
MAX_OPEN = 30
WORKERS = 3
VICTIMS = ("worker", "reader", "api", "postgres", "worker", "worker")
# Growth from the first third to the last that is taken for noise.
NOISE = {"memory_mb": 40, "processes": 3, "connections": 8, "temporary_files": 4}


class Soak:
    """The processes, and what is measured of them."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.workers = rig.workers(WORKERS)
        self.api = rig.spawn("inbox.cli", "api")
        self.samples: list[dict[str, float]] = []
        self.kills: dict[str, int] = {}

    def kill(self, what: str) -> None:
        """Kill one thing and start it again."""
        self.kills[what] = self.kills.get(what, 0) + 1
        if what == "worker":
            number = random.randrange(WORKERS)
            self.workers[number].kill()
            self.workers[number].wait(20)
            self.workers[number] = self.rig.worker()
        elif what == "reader":
            send(psutil.Process(self.workers[0].pid).children())
        elif what == "api":
            self.api.kill()
            self.api.wait(20)
            self.api = self.rig.spawn("inbox.cli", "api")
        else:
            data = next(self.rig.home.parent.glob("server/postgres/cluster/data"))
            os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
            wait_for(self.rig.server.ensure_running, 20)

    def sample(self) -> None:
        """Measure what may not grow."""
        ours = [process for process in (*self.workers, self.api) if process.poll() is None]
        family = [psutil.Process(process.pid) for process in ours]
        family += [child for process in family for child in process.children(recursive=True)]
        memory = 0.0
        for process in family:
            try:
                memory += process.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
        connections = self.rig.query(
            "select count(*) from pg_stat_activity where datname = current_database()"
        )
        self.samples.append(
            {
                "memory_mb": memory,
                "processes": len(family),
                "connections": connections[0][0],
                "temporary_files": len(self.rig.leftovers()),
            }
        )

    def growth(self) -> dict[str, list[float]]:
        """Median of the first third and of the last, of everything."""
        third = max(1, len(self.samples) // 3)
        return {
            name: [
                round(sorted(sample[name] for sample in part)[len(part) // 2], 1)
                for part in (self.samples[:third], self.samples[-third:])
            ]
            for name in NOISE
        }


def run(rig: Rig, seconds: float) -> dict[str, object]:
    """Submit, kill, measure; then wait for the end and check."""
    soak, submitted, turn = Soak(rig), 1, 0
    began = time.monotonic()
    next_kill, next_sample = began + KILL_EVERY, began + 10
    while time.monotonic() < began + seconds:
        try:
            if rig.open_jobs() < MAX_OPEN:
                rig.submit(random.randint(1, 4))
                submitted += 1
            if time.monotonic() >= next_sample:
                soak.sample()
                next_sample += 5
        except Exception as away:  # noqa: BLE001 - Postgres may be the one that was killed
            print(f"waiting: {type(away).__name__}", file=sys.stderr)
        if time.monotonic() >= next_kill:
            soak.kill(VICTIMS[turn % len(VICTIMS)])
            next_kill, turn = next_kill + KILL_EVERY, turn + 1
        time.sleep(0.1)
    rig.drain()
    make_old(rig.settings.blobs_folder)
    orphans = rig.inbox.sweep()
    figures, growth = rig.figures, soak.growth()
    check(rig)
    expect_whole(rig)
    figures.injected = sum(soak.kills.values())
    for name, (first, last) in growth.items():
        if last > first + NOISE[name]:
            figures.broken.append(f"{name} grew from {first} to {last}")
    if figures.jobs != submitted:
        figures.broken.append(f"{submitted} jobs were submitted, {figures.jobs} are there")
    lapsed = rig.query("select count(*) from inbox_attempts where outcome = 'lapsed'")
    return {
        "seconds": round(time.monotonic() - began),
        "kills": soak.kills,
        "jobs": figures.jobs,
        "files": figures.files,
        "results": figures.results,
        "lost": submitted - figures.jobs,
        "leases_lapsed": lapsed[0][0],
        "repeated_calls": figures.repeated,
        "refused_writes": figures.refused,
        "given_up_after_two_crashes": rig.quarantined,
        "orphans": orphans,
        "first_and_last_third": growth,
    }


def main() -> int:
    """Run for as long as asked."""
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="inbox-soak-") as folder, bench(Path(folder)) as server:
        rig = Rig(server, Path(folder), "soak")
        try:
            found = run(rig, seconds)
        finally:
            rig.close()
        for name, value in found.items():
            print(f"{name:<28} {value}")
        for problem in rig.figures.broken:
            print(f"BROKEN: {problem}")
        if rig.figures.broken:
            print((rig.home / "log").read_text(errors="replace")[-3000:], file=sys.stderr)
        print(json.dumps(found | {"broken": rig.figures.broken}))
        return bool(rig.figures.broken)


if __name__ == "__main__":
    sys.exit(main())
