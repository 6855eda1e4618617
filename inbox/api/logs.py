"""How the API writes its log: lines for people, or JSON for machines."""

from __future__ import annotations

import copy
import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from uvicorn.config import LOGGING_CONFIG

from inbox.settings import Settings

LINK = re.compile(r"(/download/)[^?]+")
ACCESS_FIELDS = ("client", "method", "path", "http_version", "status")


class WithoutLinks(logging.Filter):
    """Keeps what opens a file without a key out of the log of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, without the token of a download link."""
        if isinstance(record.args, tuple) and len(record.args) == len(ACCESS_FIELDS):
            where = ACCESS_FIELDS.index("path")
            path = LINK.sub(r"\1***", str(record.args[where]))
            record.args = (*record.args[:where], path, *record.args[where + 1 :])
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line; a request's parts are fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if (
            record.name == "uvicorn.access"
            and isinstance(record.args, tuple)
            and len(record.args) == len(ACCESS_FIELDS)
        ):
            line |= dict(zip(ACCESS_FIELDS, record.args, strict=True))
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_config(settings: Settings) -> dict[str, Any]:
    """The configuration of Python's logging for the server's process."""
    config: dict[str, Any] = copy.deepcopy(LOGGING_CONFIG)
    if settings.log_format == "json":
        config["formatters"] = {
            name: {"()": "inbox.api.logs.JsonFormatter"} for name in ("default", "access")
        }
    config["filters"] = {"links": {"()": "inbox.api.logs.WithoutLinks"}}
    config["loggers"]["uvicorn.access"]["filters"] = ["links"]
    config["loggers"]["inbox"] = {"handlers": ["default"], "level": "INFO", "propagate": True}
    return config
