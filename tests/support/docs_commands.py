"""The commands that the README and the docs tell people to type."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROGRAMS = {
    "cp", "curl", "docker", "inbox", "kubectl", "make", "mkdir", "node", "npx", "pg_dump", "pip",
    "prefect", "psql", "python", "select", "supabase",
}  # fmt: skip
ASSIGNMENTS = re.compile(r"^(?:export\s+)?(?:[A-Z_]+=(?:'[^']*'|\S*)\s*)+")


class Command(NamedTuple):
    """A command, and where it stands."""

    path: Path
    line: int
    text: str


class Block(NamedTuple):
    """A block of code: what stands behind its fence, and its text."""

    path: Path
    line: int
    info: str
    text: str


def blocks(path: Path) -> Iterator[Block]:
    """The fenced and the indented blocks of a document."""
    lines = path.read_text().splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        start = number
        if fence := re.match(r"^( *)```(.*)$", line):
            number += 1
            while not lines[number].strip().startswith("```"):
                number += 1
            margin = fence[1]
            inside = "\n".join(each.removeprefix(margin) for each in lines[start + 1 : number])
            yield Block(path, start + 2, fence[2].strip(), inside)
        elif line.startswith("    ") and (start == 0 or not lines[start - 1].strip()):
            while number + 1 < len(lines) and (
                lines[number + 1].startswith("    ") or not lines[number + 1].strip()
            ):
                number += 1
            inside = textwrap.dedent("\n".join(lines[start : number + 1])).strip()
            yield Block(path, start + 1, "", inside)
        number += 1


def commands(path: Path) -> Iterator[Command]:
    """The commands of a document; lines that end in a backslash go on."""
    for block in blocks(path):
        joined = re.sub(r"\\\n\s*", " ", block.text)
        for offset, line in enumerate(joined.splitlines()):
            text = re.sub(r"\s{2,}#\s.*$", "", line).strip()
            program = ASSIGNMENTS.sub("", text).partition(" ")[0].removeprefix(".venv/bin/")
            if program in PROGRAMS or (not program and ASSIGNMENTS.match(text)):
                yield Command(path, block.line + offset, text)


def files_of(path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """The blocks that belong to a file: `file=…`, with `after="…"` or `instead="…"`."""
    for block in blocks(path):
        if " file=" in f" {block.info}":
            named = re.search(r"file=(\S+)", block.info)
            place = re.search(r'(after|instead)="(.*)"$', block.info)
            assert named
            found = {"file": named[1]} | ({place[1]: place[2]} if place else {})
            yield found, block.text
