"""What every command shares: the application, the settings, the two consoles, the exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Annotated, Any, NoReturn, TypeAlias

import typer
from pydantic import ValidationError

from inbox.cli.commands import MODULES, load
from inbox.errors import (
    ConfigurationError,
    InboxError,
    PermanentError,
    RequestError,
    TransientError,
)
from inbox.settings import Settings

HELP = """
Documents in; text, labels and evidence out.

Exit codes: 0 done; 1 the job failed or was cancelled, a file could not be classified, or a
check failed; 2 the command or its input is wrong; 3 a service is away or not configured;
130 interrupted.
"""


PROGRAM = "inbox"
DISTRIBUTION = "document-inbox"
COMPLETE = "_INBOX_COMPLETE"  # set by a shell that asks how a command may go on


class Exit(IntEnum):
    """How a command ends."""

    OK = 0
    FAILED = 1
    INPUT = 2
    SERVICE = 3
    INTERRUPTED = 130


EXITS: tuple[tuple[type[InboxError], Exit], ...] = (
    (RequestError, Exit.INPUT),
    (PermanentError, Exit.INPUT),
    (TransientError, Exit.SERVICE),
    (ConfigurationError, Exit.SERVICE),
)


class Listed(typer.core.TyperGroup):
    """Lists its commands as people come upon them."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The names of what is loaded."""
        known = super().list_commands(ctx)
        return [name for name in MODULES if name in known]


app = typer.Typer(
    cls=Listed,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:
    """Print the version and stop, if that was asked for."""
    if wanted:
        from importlib.metadata import version

        say(version(DISTRIBUTION))
        raise typer.Exit


@app.callback()
def _commands(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Have commands by name, also where only one is loaded."""


AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs, and nothing else.")
]
Passwords = Annotated[
    list[str] | None,
    typer.Option("--password", help="Opens locked files; may be given several times."),
]
LabelsText: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--labels",
        help="Labels to choose from: names with commas between them, or a JSON list of names or "
        "of {name, description}.",
    ),
]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with the command's exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        load(() if COMPLETE in os.environ else given)
        if COMPLETE in os.environ:
            from typer.completion import completion_init  # type: ignore[attr-defined]

            completion_init()
        app(args=given, prog_name=PROGRAM)
    except KeyboardInterrupt:  # while modules were loaded; later it is the command's to notice
        sys.exit(Exit.INTERRUPTED)
    except InboxError as error:
        complain(error.code, str(error))
        sys.exit(exit_code(error))
    sys.exit(Exit.OK)


def exit_code(error: InboxError) -> Exit:
    """The exit code that an error stands for."""
    return next((code for kind, code in EXITS if isinstance(error, kind)), Exit.FAILED)


def settings() -> Settings:
    """The settings, from the environment.

    Raises:
        ConfigurationError: a value is out of range, or two contradict each other.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(f"the settings cannot be used: {wrong}") from None


def say(text: str = "") -> None:
    """Print a line to standard output."""
    typer.echo(text)


def note(text: str) -> None:
    """Print a line for people to standard error."""
    typer.echo(text, err=True)


def complain(code: str, sentence: str) -> None:
    """Print an error to standard error."""
    typer.echo(f"inbox: {code}: {sentence}", err=True)


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Print a JSON value; on one line unless indented."""
    say(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def counted(count: int, one: str) -> str:
    """So many of something, as people say it."""
    return f"{count} {one}" if count == 1 else f"{count} {one}s"


def printable(text: str, keep: Iterable[str] = ()) -> str:
    """Text that cannot steer a terminal: control characters become a replacement sign."""
    kept = set(keep)
    return "".join(
        character if character.isprintable() or character in kept else "\ufffd"
        for character in text
    )
