"""The page in a real browser, as a person without a manual uses it."""

from __future__ import annotations

import itertools
import json
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pikepdf
import pytest
from playwright.sync_api import Browser, Page, expect

AXE = Path(__file__).parents[2] / "support/node/node_modules/axe-core/axe.min.js"
expect.set_options(timeout=60_000)


def send(tab: Page, files: list[Path]) -> None:
    """Choose files, and be taken to their job."""
    tab.set_input_files("#files", files)
    expect(tab).to_have_url(re.compile("#/job/"))


def drop(tab: Page, paths: list[Path]) -> None:
    """Drop files or folders on the page as a file manager does, and be taken to their job."""
    box = tab.locator(".drop").bounding_box()
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 20}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    with_mouse = tab.context.new_cdp_session(tab)
    for kind in ("dragEnter", "dragOver", "drop"):
        with_mouse.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    expect(tab).to_have_url(re.compile("#/job/"))


def job_of(tab: Page) -> dict[str, Any]:
    """The open job as the API shows it."""
    house, _, rest = tab.url.partition("/#/job/")
    found: dict[str, Any] = httpx.get(f"{house}/job/{rest.split('/')[0]}", trust_env=False).json()
    return found


def test_from_twenty_files_to_a_spreadsheet(tab: Page, twenty: list[Path], tmp_path: Path) -> None:
    """Drop, watch each file move, open a result, fix a label, export that to Excel."""
    drop(tab, twenty)
    expect(tab.locator("tbody tr")).to_have_count(20)
    expect(tab.get_by_role("button", name="All")).to_have_text("All 20")
    moved: set[str] = set()
    while tab.locator("h1").inner_text() in {"Waiting for a worker", "Working"}:
        moved.update(tab.locator("tbody tr.completed, tbody tr.failed").all_inner_texts())
        tab.wait_for_timeout(50)
    expect(tab.locator("h1")).to_have_text("Completed")
    assert len({text.split("\t")[0] for text in moved}) >= 3, moved
    assert tab.locator("tr.failed").count() == 2
    expect(tab.locator("tr.failed", has_text="confidential.pdf")).to_contain_text(
        "Its password goes with it"
    )
    # a result with its page, and the evidence marked on it
    tab.get_by_role("link", name="Rechnung_2026-0417.pdf").click()
    expect(tab.locator(".picture img")).to_be_visible()
    natural = tab.locator(".picture img").evaluate("image => image.naturalWidth")
    assert natural > 1000
    assert tab.locator(".highlight").count() >= 1
    for box in tab.locator(".highlight").all():
        assert box.bounding_box()["width"] > 20
    tab.locator("button.quote").last.click()
    expect(tab.locator(".highlight.meant").first).to_be_in_viewport()
    # its label is wrong, says the person
    tab.get_by_label("Change the label to").select_option("contract")
    expect(tab.locator("p.label")).to_contain_text("contract")
    # back to where the file stands in the table, and the spreadsheet
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("link", name="Rechnung_2026-0417.pdf")).to_be_focused()
    tab.get_by_text("Export", exact=True).click()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Excel").click()
    saved = tmp_path / "out.xlsx"
    download.value.save_as(saved)
    table = pd.read_excel(saved)
    assert set(table["filename"]) >= {path.name for path in twenty}
    (fixed,) = table[table["filename"] == "Rechnung_2026-0417.pdf"].to_dict("records")
    assert (fixed["label"], fixed["corrected_label"]) == ("invoice", "contract")


def test_a_folder_is_dropped_with_what_is_in_it(tab: Page, tmp_path: Path) -> None:
    """Files of folders within come too, hidden ones do not; what was in a mail is below it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "Papers"
    mail.set_content("Dear Ada,\nsee what is attached.\nYours, C. B.\n")
    mail.add_attachment("INVOICE\nTotal amount due: 12.00\n", filename="inside.txt")
    (tmp_path / "papers/more").mkdir(parents=True)
    (tmp_path / "papers/a.eml").write_bytes(mail.as_bytes())
    (tmp_path / "papers/more/z.txt").write_text("Dear Ada,\nthank you.\nYours, C. B.\n")
    (tmp_path / "papers/.hidden").write_text("nothing for others")
    drop(tab, [tmp_path / "papers"])
    expect(tab.locator("h1")).to_have_text("Completed")
    names = tab.locator("tbody a").all_inner_texts()
    assert names == ["a.eml", "inside.txt", "z.txt"]


def test_a_locked_file_opens_with_its_password(tab: Page, twenty: list[Path]) -> None:
    """Who knows the password types it before the file is sent."""
    plain = next(path for path in twenty if path.name == "Rechnung_2026-0417.pdf")
    with pikepdf.open(plain) as document:
        locked = plain.with_name("locked.pdf")
        document.save(locked, encryption=pikepdf.Encryption(owner="o", user="[open"))
    tab.get_by_text("Labels of your own, locked files").click()
    tab.get_by_label("Password that opens locked files").fill("[open")
    drop(tab, [locked])
    expect(tab.locator("h1")).to_have_text("Completed")
    expect(tab.locator("tbody tr")).to_contain_text("invoice")


def test_a_person_says_what_files_are(tab: Page, twenty: list[Path]) -> None:
    """The queue of files to review, by keyboard alone: another label, accept, next, undo, back."""
    send(tab, [path for path in twenty if path.suffix == ".txt" and path.name != "paper07.txt"])
    expect(tab.locator("h1")).to_have_text("Completed")
    queue = [
        one["file_id"]
        for one in job_of(tab)["result"]["results"]
        if one["status"] == "completed" and one["needs_review"]
    ]
    assert queue
    tab.get_by_role("link", name=re.compile("^Review")).press("Enter")
    for file_id in queue:
        expect(tab).to_have_url(re.compile(file_id))
        expect(tab.locator("#change")).to_be_visible()
        tab.keyboard.press("1" if tab.locator(".others button").count() else "a")
    expect(tab).to_have_url(re.compile("#/job/[^/]+$"))
    corrected = {one["file_id"]: one["corrected_label"] for one in job_of(tab)["result"]["results"]}
    assert all(corrected[file_id] for file_id in queue)
    expect(tab.get_by_text("Nothing is left to review.")).to_be_visible()
    tab.get_by_role("link", name="reminder.txt").press("Enter")
    tab.get_by_label("Change the label to").select_option("memo")
    expect(tab.locator("p.label")).to_contain_text("memo checked")
    tab.locator("#change").blur()
    tab.keyboard.press("u")
    expect(tab.locator("p.label")).to_contain_text("invoice")
    expect(tab.locator("p.label")).not_to_contain_text("checked")
    tab.keyboard.press("a")
    expect(tab.locator("p.label")).to_contain_text("invoice checked")
    tab.keyboard.press("Escape")
    expect(tab.locator("tr", has_text="reminder.txt")).to_contain_text("checked")


def test_outside_the_review_a_person_stays_with_the_file(tab: Page, twenty: list[Path]) -> None:
    """Who opened a doubtful file from the list is not taken to another when saying what it is."""
    odd = next(path for path in twenty if path.name == "odds and ends.txt")
    send(tab, [odd, *(path for path in twenty if path.name in {"paper07.txt", "thanks.txt"})])
    expect(tab.locator("h1")).to_have_text("Completed")
    expect(tab.locator("tbody tr", has_text="odds and ends.txt")).to_contain_text("review")
    tab.get_by_role("link", name="odds and ends.txt").click()
    where = tab.url
    tab.get_by_label("Change the label to").select_option("memo")
    expect(tab.locator("p.label")).to_contain_text("memo checked")
    assert tab.url == where


def test_names_and_texts_of_documents_stay_text(tab: Page, twenty: list[Path]) -> None:
    """A name or a quote that is markup is shown as it is, and does nothing."""
    bold = next(path for path in twenty if path.name.startswith("<b>"))
    send(tab, [bold])
    expect(tab.locator("h1")).to_have_text("Completed")
    tab.get_by_role("link", name="<b>bold.txt").click()
    expect(tab.locator("h1")).to_have_text("<b>bold.txt")
    assert tab.locator("main b, main script").count() == 0


def test_what_fits_is_found(tab: Page, twenty: list[Path]) -> None:
    """Buttons, a label and a part of a name choose which files are listed."""
    send(tab, [path for path in twenty if path.suffix == ".txt" and path.name != "paper07.txt"])
    expect(tab.locator("h1")).to_have_text("Completed")
    rows = tab.locator("tbody tr")
    expect(rows).to_have_count(5)
    tab.get_by_label("Label", exact=True).select_option("invoice")
    expect(rows).to_have_count(1)
    tab.get_by_label("Label", exact=True).select_option("")
    tab.get_by_label("Find a name").fill("THANKS")
    expect(rows).to_have_count(1)
    tab.get_by_label("Find a name").fill("")
    tab.get_by_role("button", name="Failed").click()
    expect(rows).to_have_count(0)


def test_a_page_that_is_told_no_says_so(tab: Page) -> None:
    """Too many files are refused before a byte of them is sent."""
    tab.set_input_files(
        "#files",
        [{"name": f"{n}.txt", "mimeType": "text/plain", "buffer": b"x"} for n in range(501)],
    )
    expect(tab.get_by_role("alert")).to_contain_text("501 files are more than the 500")


def test_everybody_can_use_it(tab: Page, chromium: Browser, twenty: list[Path]) -> None:
    """No serious problem for axe on any view, by day and by night; nothing wider than a phone."""
    if not AXE.exists():
        pytest.skip("npm was not found, so axe is not there")
    house = tab.url.partition("#")[0]
    wanted = {"Rechnung_2026-0417.pdf", "confidential.pdf", "odds and ends.txt", "thanks.txt"}
    send(tab, [path for path in twenty if path.name in wanted])
    expect(tab.locator("h1")).to_have_text("Completed")
    job, file = tab.url, tab.get_by_role("link", name="Rechnung_2026-0417.pdf")
    views = [house, job, f"{house}{file.get_attribute('href')}"]
    for width, scheme in itertools.product((1280, 390), ("light", "dark")):
        with chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            bypass_csp=True,  # axe is put into the page as a script
        ) as context:
            for view in views:
                page = context.new_page()
                page.goto(view)
                expect(page.locator(".rows li, tbody tr, .picture img").first).to_be_visible()
                check(page, f"{view} {width} {scheme}")


def check(tab: Page, view: str) -> None:
    """No serious problem, and no sideways scrolling."""
    tab.evaluate(AXE.read_text())
    found = tab.evaluate("axe.run()")
    serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
    told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in serious]
    assert told == [], f"{view}: {json.dumps(told, indent=1)}"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
