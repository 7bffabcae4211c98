"""The report of a whole run, opened in a real browser: it loads, sorts and flickers, and asks nobody for anything."""

import base64
import csv
import re
import shutil

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MAX_BYTES_A_PATIENT = 20_000_000 / 12

browser_test = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")


@pytest.fixture
def report(undisturbed):
    return undisturbed.output_dir / "report.html"


@pytest.fixture
def open_page(report):
    """Opens the report; at the end nothing may have been said on the console or asked of the network."""
    trouble = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def open_it(path=report, **options):
            page = browser.new_context(
                viewport={"width": options.pop("width", 1200), "height": 900}, **options
            ).new_page()
            page.on("console", lambda message: trouble.append(message.text))
            page.on("pageerror", lambda error: trouble.append(str(error)))
            page.on("requestfailed", lambda request: trouble.append(request.url[:200]))
            page.on(
                "request",
                lambda request: None if request.url.startswith(("data:", "file:")) else trouble.append(request.url),
            )
            page.goto(path.as_uri())
            return page

        yield open_it
        browser.close()
    assert trouble == []


def participants(page, selector="#overview tbody tr"):
    return page.eval_on_selector_all(selector, "rows => rows.map(row => row.dataset.card || row.id)")


def test_the_run_ends_with_a_report_methods_and_statistics(undisturbed, report):
    assert undisturbed.returncode == 0, undisturbed.messages
    assert report.stat().st_size < MAX_BYTES_A_PATIENT * 7
    assert "[1]" in (undisturbed.output_dir / "methods.md").read_text()
    with (undisturbed.output_dir / "dose_response.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert all(row["outcome"] == "gm_change_percent_per_year" for row in rows)


def test_every_planned_patient_and_every_reason_stands_in_the_page(undisturbed, report):
    text = report.read_text()
    for row in undisturbed.table("atrophy"):
        assert f'id="{row["participant_id"]}_ses-M24"' in text
    assert "Follow-up is dated before" in text or "dated before the baseline" in text


def test_the_page_names_no_other_host(report):
    text = report.read_text()
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    assert "default-src 'none'" in text


def test_pictures_of_every_measured_patient_are_in_the_page(undisturbed, report):
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', report.read_text())
    measured = [row for row in undisturbed.table("atrophy") if row["gm_change_percent"] != "n/a"]
    assert len(measured) == 2
    # three of the pair and two of the scans; patients without a pair still show the scan that they have
    assert len(pictures) >= 5 * len(measured)
    assert all(base64.b64decode(picture)[:2] == b"\xff\xd8" for picture in pictures)


def test_the_card_of_every_measured_patient_says_what_limits_its_number(undisturbed, report):
    measured = [row for row in undisturbed.table("atrophy") if row["gm_change_percent"] != "n/a"]
    assert report.read_text().count('class="budget"') == len(measured)
    assert report.read_text().count("Most of the uncertainty comes from") == len(measured)


@browser_test
def test_it_loads_result_first_and_who_needs_a_look_on_top(open_page, undisturbed):
    page = open_page()
    assert page.locator("h2").first.inner_text() == "Result"
    assert "2 of 7 planned patients were measured" in page.locator("#result").inner_text()
    statuses = page.eval_on_selector_all("#overview tbody tr", "rows => rows.map(row => row.dataset.status)")
    order = ["failed", "flagged", "missing", "excluded", "ok"]
    assert statuses == sorted(statuses, key=order.index)
    assert len(statuses) == len(undisturbed.table("atrophy"))
    loaded = page.eval_on_selector_all("img.plot", "images => images.map(image => image.naturalWidth)")
    assert loaded
    assert all(loaded)


@browser_test
def test_a_heading_sorts_the_table_and_the_patients_with_keys_alone(open_page):
    page = open_page()
    button = page.locator("#overview thead button", has_text="Patient")
    button.focus()
    page.keyboard.press("Enter")
    names = participants(page)
    assert names == sorted(names, key=str.lower)
    assert participants(page, "#cards > details") == names
    page.keyboard.press("Enter")
    assert participants(page) == names[::-1]
    assert page.locator("#overview thead th", has_text="Patient").get_attribute("aria-sort") == "descending"


@browser_test
def test_patients_without_a_number_stay_last_whichever_way_it_is_sorted(open_page):
    page = open_page()
    for _ in range(2):
        page.locator("#overview thead button", has_text="Change").click()
        values = page.eval_on_selector_all("#overview tbody tr", "rows => rows.map(row => row.cells[3].dataset.value)")
        assert values[2:] == [""] * 5
        assert all(values[:2])


@browser_test
def test_baseline_and_followup_flicker(open_page):
    page = open_page()
    figure = page.locator("[data-flicker]:has([data-play])").first

    def shown():
        return figure.locator("img.on").get_attribute("data-name")

    assert shown().startswith("Baseline")
    figure.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    assert shown().startswith("Follow-up")
    page.keyboard.press("ArrowRight")
    assert shown() == "Local change"
    figure.locator("[data-play]").click()
    assert shown().startswith("Baseline")
    figure.locator("img.on[data-name^=Follow-up]").wait_for()
    figure.locator("[data-play]").click()
    assert figure.locator("[data-play]").get_attribute("aria-pressed") == "false"


@browser_test
def test_the_filter_hides_the_others(open_page):
    page = open_page()
    page.locator("#filter").select_option("failed")
    assert page.locator("#overview tbody tr:visible").count() == 3
    assert page.locator("#cards > details:visible").count() == 3
    assert page.locator("#shown").inner_text() == "3 of 7"


@browser_test
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_in_light_and_dark(open_page, scheme):
    page = open_page(width=390, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


@browser_test
def test_printing_shows_both_visits_and_no_buttons(open_page):
    page = open_page()
    page.emulate_media(media="print")
    figure = page.locator("[data-flicker]:has([data-play])").first
    assert figure.locator("img:visible").count() == 3
    assert page.locator(".controls:visible").count() == 0
    assert "From the top: Baseline (BL), Follow-up (M24), Local change." in figure.locator("figcaption").inner_text()
    assert page.pdf()[:4] == b"%PDF"


@browser_test
def test_without_scripts_everything_is_there(open_page):
    page = open_page(java_script_enabled=False)
    assert page.locator("[data-flicker]").first.locator("img:visible").count() == 3


def test_the_pictures_are_laid_out_for_the_toggle_of_snakemakes_own_report(undisturbed):
    gallery = undisturbed.output_dir / "gallery"
    both = {"sub-P01_baseline.jpg", "sub-P01_followup.jpg", "sub-P02_baseline.jpg", "sub-P02_followup.jpg"}
    # beside Snakemake's own time stamp of the folder
    assert {path.name for path in (gallery / "midway").glob("[!.]*")} == both
    assert {path.name for path in (gallery / "borders").glob("[!.]*")} == both
    assert (gallery / "change" / "sub-P01_change.jpg").is_file()
