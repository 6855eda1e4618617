"""The SQL functions that this version calls, with what: read out of its code.

    python tests/support/store_calls.py

writes them down for the version that `pyproject.toml` names. The record of a version that is
out stays as it is: its workers go on calling so.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row

from inbox.model import Blob, Order, Upload
from inbox.store.interface import submission

RECORDS = Path(__file__).parent / "store_calls"
STORE = Path(__file__).parents[2] / "inbox" / "store"
FENCE = {"p_job_id", "p_token", "p_lease_seconds"}
HEALTH = ("inbox_health", frozenset[str]())  # asked before the first call of all

Calls = dict[str, dict[str, Any]]

IN_ARGUMENTS = """
select p.oid, p.proname as name, p.pronargdefaults as defaults,
       format_type(p.prorettype, null) as answers, p.proretset as many,
       coalesce(array_agg(a.name order by a.n) filter (where a.n is not null), '{}') as names,
       coalesce(array_agg(format_type(a.type, null) order by a.n) filter (where a.n is not null),
                '{}') as types
  from pg_proc p
  left join lateral unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs])
       with ordinality a (type, name, n) on true
 where p.pronamespace = 'public'::regnamespace and p.proname like 'inbox%'
 group by p.oid
"""


def made_by_the_code() -> set[tuple[str, frozenset[str]]]:
    """Each function that a method of `Store` calls, with the names of the arguments."""
    found = {HEALTH}
    for file in set(STORE.glob("*.py")) - {STORE / "calls.py"}:
        found |= set(_calls_in(ast.parse(file.read_text(encoding="utf-8"))))
    return found


def _calls_in(tree: ast.Module) -> Iterator[tuple[str, frozenset[str]]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        verb = node.func.attr
        if verb not in {"_call", "_fenced"}:
            continue
        name = ast.literal_eval(node.args[0])
        given = set(FENCE) if verb == "_fenced" else set()
        for keyword in node.keywords:
            given |= {keyword.arg} if keyword.arg else _unpacked(keyword.value)
        yield name, frozenset(given)


def _unpacked(value: ast.expr) -> set[str]:
    assert ast.unparse(value).startswith("submission("), ast.unparse(value)
    order = Order(uploads=(Upload(name="x", blob=Blob(key="x")),))
    return set(submission(uuid4(), order))


def with_types(calls: set[tuple[str, frozenset[str]]], url: str) -> Calls:
    """The calls as a record has them, by the functions of a database."""
    found: Calls = {}
    for name, given in sorted(calls, key=lambda call: call[0]):
        (function,) = _answering(url, name, given)
        types = dict(zip(function["names"], function["types"], strict=True))
        arguments = {each: types[each] for each in sorted(given)}
        assert name not in found, f"{name} is called in two ways"
        found[name] = {"arguments": arguments, "answers": function["answers"]}
    return found


def broken(calls: Calls, url: str) -> dict[str, str]:
    """Which of these calls a database does not answer as it did, and why."""
    wrong = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for number, (name, call) in enumerate(calls.items()):
            places = ", ".join(
                f"{argument} => ${n}" for n, argument in enumerate(call["arguments"], 1)
            )
            types = ", ".join(call["arguments"].values())
            statement = f"prepare call_{number}{f' ({types})' if types else ''} as "
            try:
                connection.execute(f"{statement}select public.{name}({places})".encode())
            except psycopg.Error as error:
                wrong[name] = str(error.diag.message_primary)
                continue
            # PostgREST chooses by the names alone, and gives up where two functions fit.
            fitting = _answering(url, name, frozenset(call["arguments"]))
            if len(fitting) != 1:
                wrong[name] = f"{len(fitting)} functions fit the names"
            elif fitting[0]["answers"] != call["answers"] or fitting[0]["many"]:
                wrong[name] = f"it answers {fitting[0]['answers']}"
    return wrong


def _answering(url: str, name: str, given: frozenset[str]) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute(IN_ARGUMENTS.encode()).fetchall()
    return [row for row in rows if row["name"] == name and _fits(row, given)]


def _fits(row: dict[str, Any], given: frozenset[str]) -> bool:
    needed = row["names"][: len(row["names"]) - row["defaults"]]
    return set(needed) <= given <= set(row["names"])


def record_of(release: str) -> Path:
    """Where the calls of a version are written down."""
    return RECORDS / f"{release}.json"


def main() -> None:
    """Write down the calls of this version."""
    from tempfile import TemporaryDirectory

    from inbox.embedded import EmbeddedPostgres
    from inbox.store import migrate

    with TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as server:
        server.ensure_database("calls")
        migrate(server.url("calls"))
        calls = with_types(made_by_the_code(), server.url("calls"))
    RECORDS.mkdir(exist_ok=True)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(call)}" for name, call in calls.items())
    record_of(version("document-inbox")).write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
