"""What stands around the jobs: metrics, logs, traces, the reference, problems, exports."""

from __future__ import annotations

import gzip
import json
import logging
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID, uuid4

import httpx
import pytest
from api_server import client_of, running
from prometheus_client.parser import text_string_to_metric_families

from inbox.api import create_app
from inbox.api.logs import JsonFormatter, log_config
from inbox.errors import ConfigurationError
from inbox.model import Classification, Document, Page, PageSource, Problem
from inbox.service import Inbox
from inbox.settings import Settings

GZIP = b"\x1f\x8b"
SUBMIT = "/classify-documents-async"
FILES = [("files", ("=evil.txt", b"Dear Sir or Madam, thank you. Yours faithfully"))]


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the API."""
    with running(settings) as server, client_of(server) as opened:
        yield opened


def test_metrics_are_prometheus(client: httpx.Client, inbox: Inbox) -> None:
    """The text parses; queue, pages and errors are those of the rows; no id is a label."""
    job_id = client.post(SUBMIT, files=FILES).json()["job_id"]
    client.get(f"/job/{job_id}")
    waiting = metrics(client)
    assert waiting["inbox_jobs_pending"] == 1
    assert waiting["inbox_files_pending"] == 1
    assert waiting["inbox_oldest_pending_seconds"] > 0
    inbox.work()
    done = metrics(client)
    assert (done["inbox_jobs_pending"], done["inbox_recent_files_completed"]) == (0, 1)
    assert done["inbox_recent_pages_per_second"] > 0
    text = client.get("/metrics").text
    assert 'route="/job/{job_id}",status="200"' in text
    assert job_id not in text


def test_metrics_tell_what_was_read_and_what_failed(
    client: httpx.Client, inbox: Inbox, database_url: str
) -> None:
    """The share of OCR, errors by code, what is for review, and what models cost."""
    client.post(SUBMIT, files=FILES * 3)
    lease = inbox.claim()
    assert lease is not None
    read, doubtful, broken = lease.files
    pages = tuple(
        Page(number=number, text="x", source=source)
        for number, source in enumerate((PageSource.OCR, *[PageSource.TEXT_LAYER] * 3), 1)
    )
    sure = Classification(label="letter", confidence=0.9, classifier="test")
    for file, found in (
        (read, sure),
        (doubtful, sure.model_copy(update={"needs_review": True, "review_reasons": ("x",)})),
    ):
        inbox.store.start(lease, file)
        if file == read:
            call = uuid4()
            inbox.store.reserve_call(lease, file, call, "m", None, budgets=(None, None))
            inbox.store.settle_call(call, (5, 0, 5), 0.25, None, 0)
        inbox.store.record(lease, file, Document(media_type="application/pdf", pages=pages), found)
    inbox.store.record_failure(lease, broken, Problem(code="corrupt_file", message="Broken."))
    said = metrics(client)
    assert said["inbox_recent_ocr_share"] == 0.25
    assert said["inbox_recent_pages_per_second"] == pytest.approx(8 / 300)
    assert (said["inbox_recent_files_completed"], said["inbox_recent_files_for_review"]) == (2, 1)
    assert said["inbox_recent_cost"] == 0.25
    assert 'inbox_recent_files_failed{code="corrupt_file"} 1.0' in client.get("/metrics").text


def metrics(client: httpx.Client) -> dict[str, float]:
    """The metrics without labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if not sample.labels
    }


def test_the_reference_needs_no_other_host(client: httpx.Client) -> None:
    """One page with every operation, no script, and a policy that allows none."""
    answer = client.get("/docs")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert re.findall(r"(?:src|href)=['\"]https?:", answer.text) == []
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in answer.text
    assert "job.completed" in answer.text


def test_a_problem_s_type_leads_to_what_it_means(client: httpx.Client) -> None:
    """The reference in `type` can be opened."""
    refused = client.get("/job/00000000-0000-0000-0000-000000000000").json()
    answer = client.get(refused["type"])
    assert (answer.status_code, "job_not_found" in answer.text) == (200, True)
    assert client.get("/problems/unheard_of").status_code == 404


def test_what_is_wrong_with_which_is_told(settings: Settings) -> None:
    """`errors` names the field, or the file by its number."""
    limited = settings.model_copy(update={"max_file_bytes": 10})
    with running(limited) as server, client_of(server) as client:
        wrong = client.get("/jobs", params={"limit": 0, "status": "x"}).json()
        assert {item["field"] for item in wrong["errors"]} == {"limit", "status.0"}
        files = [("files", ("a", b"small")), ("files", ("b", b"x" * 11))]
        large = client.post(SUBMIT, files=files).json()
        assert (large["code"], large["errors"][0]["file"]) == ("file_too_large", 2)


@pytest.mark.parametrize(
    "options",
    ["[]", "{", '{"colour": 1}', '{"ladder": "steep"}', '{"languages": "../x"}', "null", '"x"'],
)
def test_options_that_are_not_known_are_refused(client: httpx.Client, options: str) -> None:
    """A typing error is told, not ignored."""
    answer = client.post(SUBMIT, files=FILES, data={"options": options})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert client.get("/jobs").json()["jobs"] == []


def test_options_are_kept_with_the_job(client: httpx.Client) -> None:
    """And they are part of what a repeated request must be the same in."""
    key = {"Idempotency-Key": "k"}
    wanted = {"languages": "eng", "ladder": "fast"}
    sent = client.post(SUBMIT, files=FILES, data={"options": json.dumps(wanted)}, headers=key)
    kept = client.get(sent.headers["location"]).json()["options"]
    assert {name: value for name, value in kept.items() if value is not None} == wanted
    again = client.post(SUBMIT, files=FILES, data={"options": json.dumps(wanted)}, headers=key)
    assert again.json()["job_id"] == sent.json()["job_id"]
    other = client.post(SUBMIT, files=FILES, headers=key)
    assert other.json()["code"] == "idempotency_conflict"


def test_results_come_as_a_table(client: httpx.Client, inbox: Inbox) -> None:
    """As an attachment with a name of ours; the document's name in it is no formula."""
    job_id = UUID(client.post(SUBMIT, files=FILES).json()["job_id"])
    inbox.work()
    for wanted in ("csv", "xlsx", "parquet", "jsonl"):
        answer = client.get(f"/job/{job_id}/export", params={"format": wanted})
        assert answer.status_code == 200
        disposition = answer.headers["content-disposition"]
        assert disposition == f'attachment; filename="{job_id}.{wanted}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
    text = client.get(f"/job/{job_id}/export").text
    assert ",'=evil.txt," in text
    assert client.get(f"/job/{job_id}/export", params={"format": "doc"}).status_code == 422


def test_logs_are_lines_of_json(settings: Settings) -> None:
    """A request is fields, a failure is one line."""
    config = log_config(settings.model_copy(update={"log_format": "json"}))
    assert config["formatters"]["access"] == {"()": "inbox.api.logs.JsonFormatter"}
    values = ("127.0.0.1:5", "GET", "/jobs", "1.1", 200)
    text = '%s - "%s %s HTTP/%s" %d'
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 1, text, values, None)
    line = json.loads(JsonFormatter().format(record))
    assert (line["method"], line["path"], line["status"]) == ("GET", "/jobs", 200)
    record = logging.LogRecord("inbox", logging.ERROR, "", 1, "a\nb %s", ("c",), None)
    assert json.loads(JsonFormatter().format(record))["message"] == "a\nb c"


def test_traces_are_sent_by_setting(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is a span that goes to the collector that the standard variables name."""
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.path, gzip.decompress(body) if body[:2] == GZIP else body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{collector.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        try:
            traced = settings.model_copy(update={"traces": True})
            with running(traced) as server, client_of(server) as client:
                assert client.get("/healthz").status_code == 200
                assert client.get("/download/of-a-file").status_code == 410
        finally:
            collector.shutdown()
            thread.join()
    assert {path for path, _ in received} == {"/v1/traces"}
    assert any(b"GET /healthz" in body and b"document-inbox" in body for _, body in received)
    assert not any(b"of-a-file" in body for _, body in received)
    assert not hasattr(create_app(settings).state, "traces")


def test_traces_without_their_packages_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs them."""
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match="telemetry"):
        create_app(settings.model_copy(update={"traces": True}))
