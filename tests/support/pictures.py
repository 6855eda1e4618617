"""The pictures of the README: the page in a headless browser, with sample documents.

    python tests/support/pictures.py [FOLDER]

Writes those of the README into docs/pictures, small; or all there are into FOLDER.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pydantic import SecretStr
from small_house import small_house

from inbox.embedded import EmbeddedPostgres
from inbox.samples import write_samples
from inbox.settings import Settings
from inbox.store import migrate

DESK, PHONE = (1200, 800), (390, 800)
COLOURS = 96
LARGEST = 200_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
SECONDS = 120
IN_THE_README = {"progress-desk-light", "file-desk-light", "job-desk-dark", "job-phone-light"}


def main() -> None:
    """Draw them all."""
    folder = Path(sys.argv[1] if sys.argv[1:] else "docs/pictures")
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        sys.exit("no Chromium was found")
    expect.set_options(timeout=SECONDS * 1000)
    with (
        tempfile.TemporaryDirectory() as home,
        house(Path(home)) as url,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=FLAGS) as browser,
    ):
        files = [sample.path for sample in write_samples(Path(home) / "samples")]
        job = send(browser, url, files, folder)
        for name, size, scheme in (
            ("desk-light", DESK, "light"),
            ("desk-dark", DESK, "dark"),
            ("phone-light", PHONE, "light"),
            ("phone-dark", PHONE, "dark"),
        ):
            with browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=1,
            ) as context:
                tab = context.new_page()
                tab.goto(url)
                expect(tab.locator(".rows li")).to_have_count(1)
                shoot(tab, folder / f"jobs-{name}.png")
                tab.goto(job)
                expect(tab.locator("tbody tr").last).to_be_visible()
                shoot(tab, folder / f"job-{name}.png")
                tab.get_by_role("link", name="Rechnung_2026-0417.pdf").click()
                expect(tab.locator(".picture img")).to_be_visible()
                tab.wait_for_timeout(600)  # the marks fade in
                shoot(tab, folder / f"file-{name}.png")


@contextmanager
def house(home: Path) -> Iterator[str]:
    """The API and a worker on a Postgres of their own; the page's URL."""
    with EmbeddedPostgres(home / "data") as server:
        server.ensure_database("inbox")
        migrate(server.url("inbox"))
        settings = Settings(
            _env_file=None,
            data_dir=home / "data",
            database_url=SecretStr(server.url("inbox")),
            classifier="lexicon",
            port=0,
        )
        with small_house(settings) as url:
            yield url


def send(browser: Browser, url: str, files: list[Path], folder: Path) -> str:
    """Send the files, with a picture from the middle of the job; where the job is."""
    with browser.new_context(viewport={"width": DESK[0], "height": DESK[1]}) as context:
        tab = context.new_page()
        tab.goto(url)
        tab.set_input_files("#files", files)
        expect(tab.locator("tr.completed")).not_to_have_count(0)
        shoot(tab, folder / "progress-desk-light.png")
        expect(tab.locator("h1")).to_have_text("Completed")
        return tab.url


def shoot(tab: Page, path: Path) -> None:
    """One picture of what the window shows, in few colours."""
    if not sys.argv[1:] and path.stem not in IN_THE_README:
        return
    tab.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    if size > LARGEST:
        sys.exit(f"{path.name} has {size} bytes")
    sys.stdout.write(f"{path} {size // 1024} kB\n")


if __name__ == "__main__":
    main()
