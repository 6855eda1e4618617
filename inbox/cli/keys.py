"""Commands on API keys, and what has expired: keys create, keys list, keys revoke, purge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from inbox.cli.base import AsJson, app, counted, note, printable, say, say_json, settings
from inbox.front import EVERYTHING, REQUESTS_A_MINUTE
from inbox.interface import ApiKey, Scope
from inbox.service import Inbox

keys = typer.Typer(
    help="API keys: once there is one, the API asks everybody for one.", no_args_is_help=True
)
app.add_typer(keys, name="keys")


@keys.command()
def create(  # noqa: PLR0917 - typer's parameters
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for, for people.")],
    client: Annotated[
        str | None, typer.Option("--client", help="Whose jobs it sees; its name if not given.")
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="What it is good for; read, submit and manage if not given."),
    ] = None,
    per_minute: Annotated[
        int, typer.Option("--per-minute", min=1, max=1_000_000, help="Requests in a minute.")
    ] = REQUESTS_A_MINUTE,
    days: Annotated[
        float | None,
        typer.Option("--days", min=0.001, help="How long it is good; for ever if not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: it is shown this once, and kept nowhere."""
    until = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with Inbox(settings()) as inbox:
        key, text = inbox.create_key(name, client or name, scope or EVERYTHING, per_minute, until)
    if as_json:
        say_json(key.model_dump(mode="json") | {"key": text}, indent=2)
        return
    note(f"key {key.id} of client {printable(key.client_id)}; it is not shown again:")
    say(text)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Print every key there ever was, without the keys themselves."""
    with Inbox(settings()) as inbox:
        found = inbox.api_keys()
    if as_json:
        say_json([key.model_dump(mode="json") for key in found], indent=2)
        return
    for key in found:
        parts = [str(key.id), f"{key.hint}…", _state(key), ",".join(key.scopes)]
        say("  ".join([*parts, printable(key.client_id), printable(key.name)]))


@keys.command()
def revoke(
    key_id: Annotated[UUID, typer.Argument(metavar="KEY", help="The key's id, as listed.")],
    as_json: AsJson = False,
) -> None:
    """End a key. An API that runs knows within five seconds."""
    with Inbox(settings()) as inbox:
        key = inbox.revoke_key(key_id)
    if as_json:
        say_json(key.model_dump(mode="json"), indent=2)
    else:
        say(f"{key.id} is revoked")


@app.command()
def purge(as_json: AsJson = False) -> None:
    """Forget jobs older than INBOX_RETENTION_DAYS. Dispatch does so every hour."""
    with Inbox(settings()) as inbox:
        removed = inbox.purge()
    if as_json:
        say_json({"removed": removed})
    else:
        say(f"{counted(removed, 'job')} forgotten")


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
    return "expired" if expired else "good"
