"""What OpenAPI cannot read off the code."""

from __future__ import annotations

from inbox.api.problems import responses
from inbox.errors import (
    BlobsUnavailable,
    FileTooLarge,
    InvalidLabels,
    InvalidRequest,
    JobTooLarge,
    NoFiles,
    NoSpace,
    NotMultipart,
    StoreUnavailable,
    TooManyFiles,
    UploadStalled,
)

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
                },
            },
            "encoding": {
                "labels": {"contentType": "text/plain"},
                "passwords": {"contentType": "text/plain"},
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
    UploadStalled,
    StoreUnavailable,
    BlobsUnavailable,
    NoSpace,
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
