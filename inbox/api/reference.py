"""/docs: the reference as a plain page, made from the OpenAPI description.

No script, no other host: it can be read where nothing else can be reached.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from html import escape
from textwrap import dedent
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from inbox.api.problems import problem, status_of
from inbox.errors import InboxError

STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
code{overflow-wrap:anywhere}
a{color:light-dark(#2450c4,#8fb0ff)}
pre{overflow:auto;padding:.75rem;background:#8881;border-radius:.3rem}
details{border:1px solid #8885;border-radius:.3rem;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8884}
"""
DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def install(app: FastAPI) -> None:
    """Serve /docs, and what a problem's `type` leads to."""

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": POLICY})

    @app.get("/problems/{code}", include_in_schema=False)
    def explain(code: str) -> Response:
        for kind in _kinds(InboxError):
            if kind.code == code:
                text = (kind.__doc__ or "").partition("\n\n")[0]
                body = (
                    f"<h1>{escape(code)}</h1><p>{escape(text)}</p><p>Status {status_of(kind)}.</p>"
                )
                return HTMLResponse(
                    _document(code, body), headers={"Content-Security-Policy": POLICY}
                )
        return problem(404, "not_found", "There is no problem of this type.")


def page(described: dict[str, Any]) -> str:
    """The reference as HTML."""
    info = described["info"]
    parts = ["<p><a href='/'>To the documents</a></p>"]
    parts.append(f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>")
    parts += _paragraphs(info.get("description", ""))
    parts.append("<p>For generators: <a href='/openapi.json'>openapi.json</a></p>")
    parts += _operations("Requests", described.get("paths", {}))
    parts += _operations("Webhooks: what is sent to you", described.get("webhooks", {}))
    parts.append("<h2>Schemas</h2>")
    for name, schema in described.get("components", {}).get("schemas", {}).items():
        parts.append(f"<details id='{escape(name)}'><summary><code>{escape(name)}</code> ")
        parts.append(f"{escape(schema.get('description', '').partition(chr(10))[0])}</summary>")
        parts.append(f"{_json(schema)}</details>")
    return _document(info["title"], "".join(parts))


def _paragraphs(text: str) -> Iterator[str]:
    """Text with blank lines between its paragraphs; what is indented is code."""
    for block in text.strip("\n").split("\n\n"):
        if block.startswith("    "):
            yield f"<pre>{escape(dedent(block))}</pre>"
        else:
            yield f"<p>{escape(block)}</p>"


def _operations(title: str, paths: dict[str, Any]) -> Iterator[str]:
    yield f"<h2>{title}</h2>"
    for path, operations in paths.items():
        for method, operation in operations.items():
            yield f"<details><summary><code>{method.upper()} {escape(path)}</code> "
            yield f"{escape(operation.get('summary', ''))}</summary>"
            yield from _paragraphs(operation.get("description", ""))
            yield from _parameters(operation.get("parameters", []))
            if "requestBody" in operation:
                yield f"<h3>Body</h3>{_json(operation['requestBody'])}"
            yield "<h3>Answers</h3><table>"
            for status, answer in operation.get("responses", {}).items():
                codes = ", ".join(
                    name
                    for content in answer.get("content", {}).values()
                    for name in content.get("examples", {})
                )
                yield f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}"
                yield f"</td><td><code>{escape(codes)}</code>{_link(answer)}</td></tr>"
            yield "</table></details>"


def _parameters(parameters: list[dict[str, Any]]) -> Iterator[str]:
    if parameters:
        yield "<table><tr><th>parameter</th><th>in</th><th>what it is</th></tr>"
    for each in parameters:
        yield f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td>"
        yield f"<td>{escape(each.get('description', ''))}</td></tr>"
    if parameters:
        yield "</table>"


def _link(answer: dict[str, Any]) -> str:
    for content in answer.get("content", {}).values():
        reference = content.get("schema", {}).get("$ref", "")
        if reference:
            name = escape(reference.rpartition("/")[2])
            return f" <a href='#{name}'>{name}</a>"
    return ""


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _document(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    )


def _kinds(kind: type[InboxError]) -> Iterator[type[InboxError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
