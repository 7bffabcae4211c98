"""The page for the clinic, from a finished run's tables."""

import json
import re

import pytest

from graytrace.cli import main
from graytrace.files import file_sha256, write_json
from graytrace.report.published import WORDS, load_published
from graytrace.report.sheet import Sheet
from graytrace.tables import columns, write_table

LONG = " | ".join(
    f"Something of the pair number {n} needs review, as a whole sentence of some length." for n in range(40)
)


@pytest.fixture
def written(monkeypatch):
    """What is written on pages, with where it ends, while it is written."""
    texts = []
    write = Sheet.write_line

    def spy(self, text, **options):
        write(self, text, **options)
        texts.append((text, self.get_y()))

    monkeypatch.setattr(Sheet, "write_line", spy)
    return texts


def said(written):
    return "\n".join(text for text, _ in written)


def count_pages(path):
    return len(re.findall(rb"/Type /Page\n", path.read_bytes()))


def test_the_page_has_the_numbers_and_flags_of_the_card(finish, rows, written, capsys):
    folder = finish(rows[0]("sub-01", -1.5, status="flagged", flags="scale_differs"), messages="The scale differs.")
    assert main(["pages", str(folder)]) == 0
    assert "1 page:" in capsys.readouterr().out
    text = said(written)
    assert "First visit BL (2019-03-04), second visit M24 (2021-03-04), 2.00 years apart." in text
    assert "Gray matter -1.50 % (95 % interval -1.70 to -1.30)" in text
    assert "-1.50 %\n(95 % interval -1.70 to -1.30)" in text
    assert "The scale differs." in text
    assert "full color at 10 %" in text
    assert "flagged" in text
    assert "Whole brain: this patient\n-0.75, 95 % interval ± 0.10" in text
    page = folder / "pages" / "sub-01_ses-M24.pdf"
    assert count_pages(page) == 1
    assert page.read_bytes().count(b"/Subtype /Image") == 4


@pytest.mark.parametrize("is_of_this_run", [True, False])
def test_a_slope_stands_on_the_page_where_this_run_has_one(finish, rows, written, is_of_this_run):
    folder = finish(rows[0]("sub-01", -1.5))
    slope = {"participant_id": "sub-01", "status": "ok", "visits": 3, "pairs": 3, "engines": "-", "version": "0.2.0"}
    numbers = {"gm_slope_percent_per_year": -0.7, "gm_slope_se_points_per_year": 0.1}
    write_table(folder, "slopes", [{**slope, **numbers}])
    if is_of_this_run:
        run = json.loads((folder / "run.json").read_text())
        run["tables"]["slopes.tsv"] = file_sha256(folder / "slopes.tsv")
        write_json(folder / "run.json", run)
    assert main(["pages", str(folder)]) == 0
    assert ("Gray matter, slope through 3 visits" in said(written)) == is_of_this_run
    assert ("-0.70 % per year\n(95 % interval -0.90 to -0.50)" in said(written)) == is_of_this_run
    assert count_pages(folder / "pages" / "sub-01_ses-M24.pdf") == 1


def test_two_runs_write_the_same_bytes(finish, rows, tmp_path):
    folder = finish(rows[0]("sub-01", -1.5))
    for name in ("one", "two"):
        assert main(["pages", str(folder), "--output", str(tmp_path / name)]) == 0
    one, two = ((tmp_path / name / "sub-01_ses-M24.pdf").read_bytes() for name in ("one", "two"))
    assert one == two
    assert one.startswith(b"%PDF")


def test_it_says_that_it_is_no_diagnosis_and_that_tools_differ(finish, rows, written):
    main(["pages", str(finish(rows[0]("sub-01", -1.5)))])
    text = said(written)
    assert "no diagnosis" in text
    assert "cannot be compared number by number" in text
    assert "pseudo-atrophy" in text
    for word in ("normal", "abnormal", "pathological", "cut-off", "progression"):
        assert word not in text.lower()


def test_every_published_rate_has_its_source(finish, rows, written):
    assert set(load_published()) == set(WORDS) <= set(columns("atrophy"))
    main(["pages", str(finish(rows[0]("sub-01", -1.5)))])
    text = said(written)
    for one in (rate for rates in load_published().values() for rate in rates):
        assert re.fullmatch(r"10\.\d{4,}/\S+", one.doi)
        assert f"{one.source}, doi:{one.doi}" in text
        assert one.mean is not None or (one.low is not None and one.high is not None)
        ordered = [value for value in (one.low, one.mean, one.high) if value is not None]
        assert ordered == sorted(ordered)
        assert all(-5 < value < 0 for value in ordered)


def test_many_flags_stay_on_one_page(finish, rows, written):
    widened = "gm_change; cortical_gm_change; deep_gm_change; wm_change; brain_change"
    lesions = {"lesion_volume_baseline_ml": 3.0, "lesion_volume_followup_ml": 3.5, "scale_percent": 0.4}
    row = rows[0]("sub-01", -1.5, status="flagged", flags="scale_differs", widened_intervals=widened, **lesions)
    folder = finish(row, messages=LONG)
    main(["pages", str(folder)])
    assert re.search(r"and \d+ more: report\.html", said(written))
    assert count_pages(folder / "pages" / "sub-01_ses-M24.pdf") == 1
    ends = {text[:8]: end for text, end in written}
    foot = next(at for at, (text, _) in enumerate(written) if text.startswith("For research"))
    assert ends["Sources:"] < 297 - 15, "it ends above the foot"
    assert foot == len(written) - 2


def test_who_was_not_measured_has_a_page_with_the_reason_and_no_number(finish, rows, written):
    folder = finish(rows[1]("sub-02", "failed", "truncated: ses-BL: it ends too early. Copy it again."))
    assert main(["pages", str(folder)]) == 0
    text = said(written)
    assert "Not measured. ses-BL: it ends too early. Copy it again." in text
    assert "The reason stands above." in text
    assert "published" not in text
    assert "%" not in text


def test_without_a_rate_per_year_nothing_is_set_beside_published_ones(finish, rows, written):
    main(["pages", str(finish(rows[0]("sub-01", -1.5, gm_change_percent_per_year=None)))])
    assert "No change per year is given" in said(written)
    assert ": this patient" not in said(written)


def test_a_change_beyond_the_axis_widens_it(finish, rows, written):
    main(["pages", str(finish(rows[0]("sub-01", -9.7)))])
    assert "\n-5\n" in said(written)


def test_only_those_who_are_asked_for(finish, rows, capsys):
    folder = finish(rows[0]("sub-01", -1.5), rows[0]("sub-02", -1.0))
    assert main(["pages", str(folder), "--participants", "02"]) == 0
    assert [path.name for path in (folder / "pages").iterdir()] == ["sub-02_ses-M24.pdf"]
    assert main(["pages", str(folder), "--participants", "sub-09"]) == 1
    assert "nobody called sub-09" in capsys.readouterr().err


def test_pages_of_another_run_are_told(finish, rows, capsys):
    folder = finish(rows[0]("sub-01", -1.5))
    (folder / "pages").mkdir()
    (folder / "pages" / "sub-old_ses-M24.pdf").write_bytes(b"")
    main(["pages", str(folder)])
    assert "Pages of another run lie there, too: 1 (sub-old_ses-M24.pdf" in capsys.readouterr().out


def test_a_table_that_was_changed_by_hand_is_refused(finish, rows, capsys):
    folder = finish(rows[0]("sub-01", -1.5))
    table = folder / "atrophy.tsv"
    table.write_text(table.read_text().replace("-1.5000", "-0.5000"))
    assert main(["pages", str(folder)]) == 1
    assert "was changed since the run wrote it" in capsys.readouterr().err
    assert not (folder / "pages").exists()


def test_a_folder_without_results_is_named(tmp_path, capsys):
    assert main(["pages", str(tmp_path)]) == 1
    assert f"{tmp_path} has no run.json, atrophy.tsv" in capsys.readouterr().err
