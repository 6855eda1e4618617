"""What OpenAPI cannot read off the code."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import FastAPI, Header

from inbox.api.problems import responses
from inbox.errors import (
    BlobsUnavailable,
    Busy,
    FileTooLarge,
    IdempotencyConflict,
    InvalidLabels,
    InvalidRequest,
    JobNotFound,
    JobTooLarge,
    NoFiles,
    NoSpace,
    NotMultipart,
    SecretKeyMissing,
    StoreUnavailable,
    SubmissionInFlight,
    TooManyFiles,
    UploadStalled,
)
from inbox.interface import WEBHOOK_EVENTS
from inbox.model import JobSummary, Value

DESCRIPTION = """
Send a batch of mixed documents; get the text, a label and the evidence for it back.

    curl -F "files=@a.pdf" -F "files=@b.pdf" http://127.0.0.1:8000/classify-documents-async
    curl http://127.0.0.1:8000/job/JOB_ID
"""

SUBMIT_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["files"],
                "properties": {
                    "files": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "format": "binary"},
                        "description": "The documents; the type is told from their content.",
                    },
                    "passwords": {
                        "type": "string",
                        "description": "A password that opens locked files, or a JSON list of "
                        "them; kept encrypted, and forgotten when the job is over.",
                    },
                    "labels": {
                        "type": "string",
                        "description": "Labels to choose from instead of the default ones: a "
                        "JSON list of names or of {name, description}, or names with commas "
                        "between them. Sent before the files it is checked before them.",
                        "examples": [
                            '["invoice", "contract"]',
                            '[{"name": "invoice", "description": "asks for payment"}]',
                            "invoice, contract",
                        ],
                    },
                    "options": {
                        "type": "string",
                        "description": "How to treat these documents: a JSON object. Names that "
                        "are not known are refused.",
                        "examples": ['{"languages": "eng+deu", "ladder": "thorough"}'],
                    },
                },
            },
            "encoding": {
                "labels": {"contentType": "text/plain"},
                "passwords": {"contentType": "text/plain"},
                "options": {"contentType": "text/plain"},
            },
        }
    },
}

SUBMIT_RESPONSES = responses(
    NoFiles,
    InvalidLabels,
    InvalidRequest,
    TooManyFiles,
    FileTooLarge,
    JobTooLarge,
    NotMultipart,
    SecretKeyMissing,
    UploadStalled,
    StoreUnavailable,
    BlobsUnavailable,
    NoSpace,
    Busy,
    SubmissionInFlight,
    IdempotencyConflict,
)
SUBMIT_RESPONSES[202] = {
    "headers": {
        "Location": {"description": "Where to ask for the job.", "schema": {"type": "string"}},
        "Retry-After": {
            "description": "Seconds to wait before asking.",
            "schema": {"type": "integer"},
        },
    }
}

JOB_RESPONSES = responses(JobNotFound, InvalidRequest, StoreUnavailable)
JOB_RESPONSES[200] = {
    "headers": {
        "ETag": {
            "description": "Changes with every event of the job.",
            "schema": {"type": "string"},
        },
        "Retry-After": {
            "description": "Seconds to wait before asking again, while the job is not over.",
            "schema": {"type": "integer"},
        },
    }
}
JOB_RESPONSES[304] = {"description": "Nothing has changed since this ETag."}


class FinishedJob(JobSummary):
    """A job that is over, with how many of its files completed and failed."""

    successful: int
    failed: int


class JobMessage(Value):
    """What is sent when a job is over."""

    type: Literal["job.completed", "job.failed", "job.cancelled"]
    timestamp: datetime
    data: FinishedJob


def describe_webhooks(app: FastAPI) -> None:
    """Add what is sent to webhooks to the description."""
    for event in WEBHOOK_EVENTS:

        @app.webhooks.post(event, summary=f"A job ended as {event.partition('.')[2]}")
        def told(
            message: JobMessage,
            webhook_id: Annotated[str, Header(description="The same for every attempt.")],
            webhook_timestamp: Annotated[int, Header(description="Seconds since 1970.")],
            webhook_signature: Annotated[str, Header(description="By Standard Webhooks 1.0.")],
        ) -> None:
            """Signed with the webhook's secret; any 2xx is a receipt, 410 ends the webhook."""
