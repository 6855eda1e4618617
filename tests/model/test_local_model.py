"""The protocol, with a real model server that constrains its answers to the schema.

Such a small model knows little: what is checked is what the inbox makes of whatever it says.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from inbox.classify import MemoryLedger, Terms, open_classifier, parse_labels
from inbox.classify.verify import stands
from inbox.model import Document, FieldWanted, Page, PageSource
from inbox.settings import Settings

pytestmark = pytest.mark.model

INVOICE = "INVOICE\nInvoice number: 771\nBill to: Acme\nTotal due: 12.00\nPayment terms: net 30\n"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A llama.cpp server, in a process of its own."""
    python = os.environ["INBOX_TEST_MODEL_PYTHON"]
    program = Path(__file__).with_name("serve.py")
    with subprocess.Popen(
        [python, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            address = ""
            while not address.startswith("http"):
                line = process.stdout.readline()
                assert line, "the model's server ended"
                address = line.strip()
            yield address
        finally:
            process.kill()


def test_a_real_server_answers_within_the_schema(url: str) -> None:
    """One of the caller's labels, quotes that stand in the text, counted tokens, kept answer."""
    settings = Settings(
        _env_file=None,
        classifier="llm",
        openai_base_url=url,
        model="smollm2",
        model_timeout_seconds=240,
        model_max_retries=0,
        model_max_output_tokens=600,
        model_prices={"smollm2": (0, 0, 0)},
    )
    page = Page(number=1, text=INVOICE, source=PageSource.NATIVE)
    read = Document(media_type="text/plain", pages=(page,))
    labels = parse_labels(["invoice", "letter", "memo"])
    terms = Terms(fields=(FieldWanted(name="invoice number"),), ledger=MemoryLedger(0.0))
    result = open_classifier(settings).classify(read, labels, terms)
    print(result.model_dump_json(indent=1))  # noqa: T201
    assert result.label in {label.name for label in labels}
    assert all(stands(read, evidence) for evidence in result.evidence)
    assert all(fact.quote in INVOICE for fact in result.details.fields)
    assert result.details.cost is not None
    assert result.details.cost.input_tokens > 100
    assert result.details.cost.output_tokens > 0
    assert result.details.cost.money == 0
