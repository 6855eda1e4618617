"""Try faults on real processes, print the table, end with one JSON line; 1 if a promise broke."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from chaos import outside_faults, queue_faults, stack_faults
from chaos.rig import Figures, Rig, bench

HEAD = ("fault", "times", "jobs", "files", "results", "repeated", "refused", "recovery", "seconds")
WIDTHS = (20, 6, 5, 6, 8, 9, 8, 9, 8)


def main() -> int:
    """Run what was asked for."""
    light = {**queue_faults.FAULTS, **outside_faults.FAULTS}
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--faults", default="", help="comma-separated: " + ", ".join(
        [*light, *stack_faults.FAULTS]))  # fmt: skip
    chosen = [name for name in parser.parse_args().faults.split(",") if name]
    if unknown := set(chosen) - set(light) - set(stack_faults.FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    print("".join(f"{word:<{width}}" for word, width in zip(HEAD, WIDTHS, strict=True)))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="inbox-chaos-") as folder:
        home = Path(folder)
        found = _light({n: f for n, f in light.items() if not chosen or n in chosen}, home)
        found += stack_faults.run(
            [n for n in stack_faults.FAULTS if not chosen or n in chosen], home, show
        )
    broken = sum(len(figures.broken) for figures in found)
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"faults": [asdict(f) for f in found], "broken": broken, "seconds": seconds}))
    return broken > 0


def _light(faults: dict[str, Callable[[Rig], None]], home: Path) -> list[Figures]:
    if not faults:
        return []
    with bench(home) as server:
        return [_one(Rig(server, home, name), fault) for name, fault in faults.items()]


def _one(rig: Rig, fault: Callable[[Rig], None]) -> Figures:
    began = time.monotonic()
    try:
        fault(rig)
    except Exception:  # noqa: BLE001 - the other faults are tried all the same
        rig.figures.broken.append(traceback.format_exc(limit=-3))
    finally:
        rig.close()
    rig.figures.seconds = round(time.monotonic() - began, 1)
    show(rig.figures)
    if rig.figures.broken:
        print((rig.home / "log").read_text(errors="replace")[-3000:], file=sys.stderr)
    return rig.figures


def show(figures: Figures) -> None:
    """One line of the table, and what is to be said about it."""
    figures.recovery = round(figures.recovery, 1)
    cells = (figures.fault, figures.injected, figures.jobs, figures.files, figures.results,
             figures.repeated, figures.refused, figures.recovery, figures.seconds)  # fmt: skip
    line = "".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
    print(line + "; ".join(figures.notes), flush=True)
    for problem in figures.broken:
        print(f"    BROKEN: {problem}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
