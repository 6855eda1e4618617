"""docs/api-reference.md, out of the OpenAPI description; `make reference` writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inbox.api import create_app
from inbox.settings import Settings

TARGET = Path(__file__).parents[2] / "docs" / "api-reference.md"
HEAD = """# The HTTP API, request by request

Made from the OpenAPI description by `make reference`. What the requests are for and how they go
together is told in [the HTTP API](api.md).
"""


def described() -> dict[str, Any]:
    """The description that `/openapi.json` answers with."""
    return create_app(Settings(_env_file=None)).openapi()


def markdown(api: dict[str, Any]) -> str:
    """The reference as Markdown."""
    parts = [HEAD, "## Requests\n", *_operations(api["paths"])]
    parts += ["## Webhooks: what is sent to you\n", *_operations(api["webhooks"])]
    parts.append("## Schemas\n")
    for name, schema in api["components"]["schemas"].items():
        parts += [f"### {name}\n", *_schema(schema)]
    return "\n".join(parts)


def _operations(paths: dict[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            yield f"### `{method.upper()} {path}`\n"
            if said := operation.get("description") or operation.get("summary"):
                yield f"{said.strip()}\n"
            if parameters := operation.get("parameters"):
                rows = [(_named(each), each["in"], *_value(each)) for each in parameters]
                yield _table(("parameter", "in", "type", "what it is"), rows)
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"Body, as `{kind}`: {_type(content['schema'])}\n"
                yield from _fields(content["schema"])
            rows = [_answer(*each) for each in sorted(operation["responses"].items())]
            yield _table(("status", "body", "codes or headers"), rows)


def _answer(status: str, answer: dict[str, Any]) -> tuple[str, ...]:
    bodies, codes = [], list(answer.get("headers", {}))
    for kind, content in answer.get("content", {}).items():
        schema = content.get("schema", {})
        bodies.append(_type(schema) if "json" in kind and schema else f"`{kind}`")
        codes += content.get("examples", {})
    return status, ", ".join(bodies), ", ".join(f"`{each}`" for each in codes)


def _schema(schema: dict[str, Any]) -> Iterator[str]:
    said, _, attributes = schema.get("description", "").partition("\n\nAttributes:\n")
    if said:
        yield f"{said.strip()}\n"
    if "properties" in schema:
        found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
        yield from _fields(schema, dict(found))
    else:
        yield f"{_type(schema)}\n"


def _fields(schema: dict[str, Any], words: Mapping[str, str] | None = None) -> Iterator[str]:
    needed, words = schema.get("required", ()), words or {}
    rows = [
        (
            _named({"name": name, "required": name in needed}),
            *_value({"description": words.get(name, ""), **field}),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    if rows:
        yield _table(("field", "type", "what it is"), rows)


def _named(each: dict[str, Any]) -> str:
    return f"**`{each['name']}`**" if each.get("required") else f"`{each['name']}`"


def _value(each: dict[str, Any]) -> tuple[str, str]:
    schema = each.get("schema", each)
    said = each.get("description") or schema.get("description", "")
    if schema.get("default") not in (None, [], {}):
        said = f"{said} Default: `{json.dumps(schema['default'])}`.".strip()
    return _type(schema), said


def _type(schema: dict[str, Any]) -> str:
    if name := schema.get("$ref"):
        name = name.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(each) for each in choices)
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "anything")
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = (
        [re.sub(r"\s+", " ", cell).replace("|", "\\|").strip() for cell in line] for line in lines
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


if __name__ == "__main__":
    TARGET.write_text(markdown(described()), encoding="utf-8")
