"""The checks of `inbox doctor`. Each really does what it checks."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from inbox.errors import ConfigurationError, InboxError
from inbox.settings import Settings

OLDEST_PYTHON = (3, 11)
FREE_BYTES = 1024**3
HTTP_SECONDS = 5
WORD = "INBOX"
HTTP_UNAUTHORIZED = (401, 403)


class Check(NamedTuple):
    """What a check found.

    Attributes:
        name: what was checked.
        ok: whether it works.
        found: what there is, or what is wrong.
        remedy: what to do about it; empty where nothing needs doing.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""


def run_checks(settings: Settings, *, model: bool, supabase: bool = False) -> Iterator[Check]:
    """Check one thing after the other.

    Args:
        settings: those of the installation.
        model: also ask the model's server.
        supabase: look at the Supabase project, which is done anyway where it is in use.
    """
    checks: list[tuple[str, Callable[[Settings], Check]]] = [
        ("python", check_python),
        ("database", check_database),
        ("jobs", check_stuck),
        ("blobs", check_blobs),
        ("reading", check_reading),
        ("classifier", check_classifier),
    ]
    if supabase or settings.uses_supabase:
        from inbox.cli.project_checks import PROJECT_CHECKS

        kept = [] if settings.uses_supabase else checks[1:2]
        checks[1:2] = [*PROJECT_CHECKS, *kept]
    if model:
        checks.append(("model server", check_model))
    if settings.prefect_api_url:
        checks.append(("prefect", check_prefect))
    for name, check in checks:
        try:
            yield check(settings)
        except InboxError as error:
            yield Check(name, ok=False, found=f"{error.code}: {error}")
        except Exception as error:  # noqa: BLE001  (a doctor does not fall ill at the bedside)
            yield Check(name, ok=False, found=f"unforeseen {type(error).__name__}")


def check_python(_settings: Settings) -> Check:
    """The version of Python."""
    ok = sys.version_info[:2] >= OLDEST_PYTHON
    return Check("python", ok, platform.python_version(), "" if ok else "use Python 3.11 or newer")


def check_database(settings: Settings) -> Check:
    """Whether the database answers and is up to date."""
    from inbox.opened import database_url
    from inbox.store import pending_migrations

    kind = "the embedded Postgres" if settings.database_url is None else "DATABASE_URL"
    try:
        missing = pending_migrations(database_url(settings))
    except ConfigurationError as error:
        return Check("database", ok=False, found=str(error), remedy="run: inbox up")
    except InboxError as error:
        remedy = "check that the server runs and that DATABASE_URL is right"
        return Check("database", ok=False, found=str(error), remedy=remedy)
    if missing:
        found = f"{kind} lacks {len(missing)} migrations"
        return Check("database", ok=False, found=found, remedy="run: inbox migrate")
    return Check("database", ok=True, found=f"{kind} answers and is up to date")


def check_stuck(settings: Settings) -> Check:
    """Whether jobs do not move, and why."""
    from inbox.service import Inbox

    with Inbox(settings) as inbox:
        stuck = inbox.stuck()
    if not stuck:
        return Check("jobs", ok=True, found="none is stuck")
    reasons = Counter(each.why for each in stuck)
    found = ", ".join(f"{count} {why}" for why, count in reasons.most_common())
    quietest = stuck[0]
    remedy = f"job {quietest.job_id}, quiet for {quietest.quiet_for:.0f} s: {quietest.next_step}"
    return Check("jobs", ok=False, found=found, remedy=remedy)


def check_blobs(settings: Settings) -> Check:
    """Whether bytes can be stored and read again, and whether there is room."""
    from inbox.blobs import blob_key, open_blobs

    if settings.uses_supabase:
        return _check_bucket(settings)
    blobs, job_id, content = open_blobs(settings), uuid4(), b"doctor"
    try:
        with blobs.create(blob_key(job_id, 1)) as writer:
            writer.write(content)
            blob = writer.commit()
        with blobs.fetch(blob) as path:
            same = path.read_bytes() == content
    except InboxError as error:
        remedy = "make INBOX_BLOBS_DIR a folder that this account may write to"
        return Check("blobs", ok=False, found=str(error), remedy=remedy)
    finally:
        blobs.delete_job(job_id)
    free = shutil.disk_usage(settings.blobs_folder).free
    found = f"written and read again, {free / 1024**3:.1f} GiB free"
    if not same:
        return Check("blobs", ok=False, found="what was read is not what was written")
    if free < FREE_BYTES:
        return Check("blobs", ok=False, found=found, remedy="make room, or set INBOX_BLOBS_DIR")
    return Check("blobs", ok=True, found=found)


def _check_bucket(settings: Settings) -> Check:
    from inbox.blobs import blob_key, open_blobs

    job_id, content = uuid4(), b"doctor"
    with closing(open_blobs(settings)) as blobs:
        with blobs.create(blob_key(job_id, 1)) as writer:
            writer.write(content)
            blob = writer.commit()
        with blobs.fetch(blob) as path:
            same = path.read_bytes() == content
        blobs.delete_job(job_id)
    found = "written to the bucket and read again" if same else "what was read is not what was sent"
    return Check("blobs", ok=same, found=found)


def check_reading(settings: Settings) -> Check:
    """Whether a picture of a word is read, with the engine and languages of the settings."""
    from inbox.extract import Reader

    if settings.ocr_engine == "none":
        return Check("reading", ok=True, found="OCR is off: pages that are pictures stay unread")
    name = f"{settings.ocr_engine} with {settings.ocr_languages}"
    with tempfile.TemporaryDirectory() as folder, Reader(settings) as reader:
        page = _picture(Path(folder) / "word.png")
        document = reader.read(page)
        ways = " and ".join(reader.without_network)
    isolated = f"without network ({ways})" if ways else "not kept from the network by this system"
    if WORD in document.text.upper():
        return Check("reading", ok=True, found=f"{name} reads, {isolated}")
    remedy = "check INBOX_OCR_ENGINE, INBOX_OCR_LANGUAGES and INBOX_TESSDATA_DIR"
    return Check("reading", ok=False, found=f"{name} does not read a plain word", remedy=remedy)


def check_classifier(settings: Settings) -> Check:
    """Which classifier is in use, and whether it can be opened."""
    from inbox.classify import open_classifier

    open_classifier(settings)
    if settings.uses_model:
        where = "a server of yours" if settings.openai_base_url else "OpenAI"
        return Check("classifier", ok=True, found=f"model {settings.model} at {where}")
    return Check("classifier", ok=True, found="the lexicon; no model is configured")


def check_model(settings: Settings) -> Check:
    """Whether the model's server answers and takes the key."""
    if not settings.uses_model:
        remedy = "set OPENAI_API_KEY or OPENAI_BASE_URL"
        return Check("model server", ok=False, found="no model is configured", remedy=remedy)
    base = (settings.openai_base_url or "https://api.openai.com/v1").rstrip("/")
    headers = {}
    if settings.openai_api_key is not None:
        headers["Authorization"] = f"Bearer {settings.openai_api_key.get_secret_value()}"
    status = _get(f"{base}/models", headers)
    if status is None:
        remedy = "check OPENAI_BASE_URL and the network"
        return Check("model server", ok=False, found="does not answer", remedy=remedy)
    if status in HTTP_UNAUTHORIZED:
        remedy = "check OPENAI_API_KEY"
        return Check("model server", ok=False, found="does not take the key", remedy=remedy)
    ok = status < 400  # noqa: PLR2004
    return Check("model server", ok, f"answers with {status}")


def check_prefect(settings: Settings) -> Check:
    """Whether Prefect's API answers."""
    status = _get(f"{(settings.prefect_api_url or '').rstrip('/')}/health", {})
    if status == 200:  # noqa: PLR2004
        return Check("prefect", ok=True, found="PREFECT_API_URL answers")
    found = "PREFECT_API_URL does not answer" if status is None else f"answers with {status}"
    return Check("prefect", ok=False, found=found, remedy="start it, or check PREFECT_API_URL")


def _get(url: str, headers: dict[str, str]) -> int | None:
    import httpx

    try:
        return httpx.get(url, headers=headers, timeout=HTTP_SECONDS).status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return None


def _picture(path: Path) -> Path:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (900, 300), 255)
    font = ImageFont.load_default(72)
    ImageDraw.Draw(image).text((60, 90), f"Document {WORD}", fill=0, font=font)
    image.save(path)
    return path
