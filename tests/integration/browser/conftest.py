"""A real browser, and a house in this process whose page it opens."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pydantic import SecretStr
from small_house import small_house

from inbox.samples import write_samples
from inbox.settings import Settings

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS = 60


@pytest.fixture(scope="module")  # while it is there, no test can run an event loop of its own
def chromium() -> Iterator[Browser]:
    """A headless browser with a fresh profile."""
    if CHROMIUM is None:
        pytest.skip("no Chromium was found, so the page was not opened in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def house(settings: Settings) -> Iterator[str]:
    """The API and a worker on a database of this test's own; the page's URL."""
    opens_links = {"secret_key": SecretStr(secrets.token_hex(32))}
    with small_house(settings.model_copy(update=opens_links)) as url:
        yield url


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser window of its own, on a desk, by day."""
    with chromium.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light", accept_downloads=True
    ) as opened:
        opened.set_default_timeout(SECONDS * 1000)
        yield opened


@pytest.fixture
def tab(context: BrowserContext, house: str) -> Iterator[Page]:
    """The page, opened; whatever a script complains of, or asks of another host, fails the test."""
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on(
        "request", lambda sent: None if _is_own(sent.url, house) else complaints.append(sent.url)
    )
    page.goto(house)
    yield page
    assert complaints == []


def _is_own(url: str, house: str) -> bool:
    return url.startswith((f"{house}/", f"blob:{house}/"))


@pytest.fixture(scope="session")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty documents of many kinds; two of them cannot be read."""
    folder = tmp_path_factory.mktemp("documents")
    paths = [sample.path for sample in write_samples(folder)]
    more = {
        "reminder.txt": "INVOICE\nInvoice number 12\nBill to: Ada\nTotal amount due: 12.00\n",
        "thanks.txt": "Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n",
        "odds and ends.txt": "grey seven window under\n",
        "<b>bold.txt": "MEMO\nTo: all staff\nFrom: me\nSubject: <script>alert(1)</script>\n",
        "receipt.txt": "RECEIPT\nCash register 3\n2 coffee 5.00\nTOTAL 5.00\nCASH 10.00\n",
    }
    for name, text in more.items():
        paths.append(folder / name)
        paths[-1].write_text(text)
    assert len(paths) == 20
    return paths
