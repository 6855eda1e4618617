"""Commands on the installation: api, migrate, doctor, version."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from inbox.cli.base import DISTRIBUTION, AsJson, Exit, app, note, say, say_json, settings


@app.command()
def api() -> None:
    """Run the HTTP API on INBOX_HOST and INBOX_PORT."""
    from inbox.api import serve

    serve(settings())


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Bring DATABASE_URL, or the embedded database, up to date."""
    from inbox.embedded import EmbeddedPostgres, running_url
    from inbox.opened import DATABASE, database_url
    from inbox.store import migrate as apply

    chosen = settings()
    named = chosen.database_url is not None or chosen.uses_supabase
    if named or running_url(chosen.data_dir, DATABASE):
        applied = apply(database_url(chosen))
    else:
        note("starting the embedded Postgres for this")
        with EmbeddedPostgres(chosen.data_dir, bin_dir=chosen.pg_bin_dir) as server:
            server.ensure_database(DATABASE)
            applied = apply(server.url(DATABASE))
    if as_json:
        say_json({"applied": list(applied)})
        return
    for name in applied or ["up to date"]:
        say(name)


@app.command()
def doctor(
    model: Annotated[
        bool, typer.Option("--model", help="Also ask the model's server whether it answers.")
    ] = False,
    supabase: Annotated[
        bool, typer.Option("--supabase", help="Also look at the project of SUPABASE_URL.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that everything needed is there and works."""
    from inbox.cli.checks import run_checks

    failed = False
    found = []
    for check in run_checks(settings(), model=model, supabase=supabase):
        failed |= not check.ok
        found.append(check)
        if not as_json:
            say(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")
            if check.remedy:
                say(f"     {check.remedy}")
    if as_json:
        say_json([check._asdict() for check in found], indent=2)
    raise typer.Exit(Exit.FAILED if failed else Exit.OK)


@app.command("settings")
def print_settings(as_json: AsJson = False) -> None:
    """Print every setting with its default."""
    from inbox.settings import describe, table

    if as_json:
        say_json([row._asdict() for row in table()], indent=2)
    else:
        say(describe())


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    found = installed_version(DISTRIBUTION)
    if as_json:
        say_json({"version": found})
    else:
        say(found)
