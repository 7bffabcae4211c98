"""The page from tables alone: what it says, that no table can break it, and that large studies stay usable."""

import re

import numpy as np
import pytest
import yaml
from PIL import Image

from graytrace.records import Record
from graytrace.report import page
from graytrace.report.answer import write_answer, write_certainty, write_changes, write_untreated
from graytrace.report.content import Study, half_interval, list_withheld, make_cards, show_change, typeset
from graytrace.report.methods import write_methods
from graytrace.report.page import render_page
from graytrace.schemas import SCHEMAS
from graytrace.tables import columns

MAX_BYTES_OF_500 = 12_000_000


def row_of(table, **cells):
    return {**dict.fromkeys(columns(table), "n/a"), **cells}


def make_study(count=4, *, error=None, **first):
    """`count` patients; the first gets the cells in `first`."""
    defaults = yaml.safe_load((SCHEMAS.parents[2] / "config.yaml").read_text())
    atrophy, quality = [], []
    for n in range(count):
        name = f"sub-{n:03}"
        cells = {
            "participant_id": name,
            "status": "ok",
            "visit_baseline": "BL",
            "visit_followup": "M24",
            "interval_years": "2.0",
            "gm_change_percent": f"{-1.0 - 0.1 * n:.4f}",
            "gm_change_percent_per_year": f"{-0.5 - 0.05 * n:.4f}",
            "gm_volume_baseline_ml": "600.0",
            "gm_volume_followup_ml": "594.0",
            **({"gm_change_se_points": error} if error else {}),
            **(first if n == 0 else {}),
        }
        atrophy.append(row_of("atrophy", **cells))
        for visit in ("BL", "M24"):
            scan = {"participant_id": name, "visit": visit, "kind": "scan", "status": "ok", "noise_percent": "3.0"}
            quality.append(row_of("quality", **scan))
        pair = {"participant_id": name, "visit": "BL_M24", "kind": "pair", "status": "ok", "skull_residual_mm": "0.2"}
        quality.append(row_of("quality", **pair))
    run = {"version": "1.2.3", "python": "3.11", "packages": {"scipy": "1.17"}, "config": defaults}
    return Study(atrophy, [], quality, [], run)


def render(study, folder, **more):
    options = {"title": "Graytrace: trial", "predictors": {}, **more}
    return render_page(study, write_methods(study, []), folder=folder, **options)


def answer(**cells):
    numbers = {
        "predictor": "dose",
        "outcome": "gm_change_percent_per_year",
        "analysis": "everyone",
        "n": "12",
        "spearman_rho": "0.700",
        "spearman_rho_low": "0.200",
        "spearman_rho_high": "0.930",
        "spearman_p": "0.01000",
        "spearman_p_holm": "0.01000",
        "slope": "0.10",
        "slope_low": "0.02",
        "slope_high": "0.20",
    }
    return row_of("dose_response", **{**numbers, **cells})


def test_a_clear_answer_says_direction_certainty_and_size():
    found = write_answer([answer()])
    assert found.headline == "The higher the dose, the less gray matter was lost."
    assert "95 % interval +0.20 to +0.93" in found.evidence
    assert "p = 0.010, 12 patients" in found.evidence
    assert "differs by +0.1 (95 % interval +0.02 to +0.2) percentage points" in found.evidence
    assert found.certainty == ["Were there no relation, chance would show one as strong in 1 % of such trials."]


def test_the_other_direction_is_more_loss():
    row = answer(spearman_rho="-0.700", spearman_rho_low="-0.930", spearman_rho_high="-0.200")
    assert "the more gray matter was lost" in write_answer([row]).headline


def test_no_clear_answer_is_not_called_no_effect():
    row = answer(spearman_p="0.10000", spearman_p_holm="0.20000", spearman_rho_low="-0.100")
    found = write_answer([row], questions=2)
    assert found.headline == "No clear relation between dose and the change of gray matter per year."
    assert "corrected for 2 questions" in found.evidence
    (sentence,) = found.certainty
    assert "does not show that there is none" in sentence
    assert "±0.67" in sentence


def test_an_interval_and_a_p_that_disagree_are_told():
    assert "different sides" in write_answer([answer(spearman_p="0.08000", spearman_p_holm="0.08000")]).certainty[-1]


def test_whether_the_answer_holds_without_the_flagged_is_told():
    few = row_of("dose_response", analysis="without_flagged", n="4", note="Not computed: 4 patients are too few.")
    assert "Without flagged patients: not computed: 4 patients are too few." in write_answer([answer(), few]).certainty
    enough = answer(analysis="without_flagged", n="9")
    assert any("+0.70, p = 0.010, 9 patients" in text for text in write_answer([answer(), enough]).certainty)


def test_the_mean_has_its_interval_and_missing_patients_are_counted():
    study = make_study(5, status="missing", gm_change_percent="n/a", gm_change_percent_per_year="n/a", error="0.1")
    (change,) = write_changes(study)
    assert change.startswith(
        "Gray matter changed by -0.62 % per year on average from BL to M24 (95 % interval of the mean"
    )
    measured, alike = write_certainty(study)
    assert measured.startswith("4 of 5 planned patients were measured.")
    assert "±0.10 % per year" in measured, "1.96 standard errors over two years"
    assert alike == "No measured pair is known to have been scanned differently at its two visits."


def test_a_change_of_scanner_stands_in_the_result_and_on_the_patients_card(tmp_path):
    words = "scanner A, then B; software 1, then 2"
    study = make_study(2, status="flagged", flags="scanner_differs; software_differs", protocol_differences=words)
    study.quality[2]["messages"] = (
        "The visits were not scanned alike: scanner A, then B. | The visits were not scanned alike: software 1, then 2."
    )
    card, other = make_cards(study, {})
    assert card.whys == [f"The visits were not scanned alike: {words}."]
    assert card.reasons == ["scanned differently"]
    assert other.scanned == "No difference between the scans of both visits is known."
    assert write_certainty(study)[-1].startswith(
        "1 of 2 measured pairs were not scanned alike at both visits (sub-000)"
    )
    assert render(study, tmp_path).count(f"<li>The visits were not scanned alike: {words}.</li>") == 2


def test_a_difference_that_flags_nobody_is_on_the_card_all_the_same():
    (card,) = make_cards(make_study(1, protocol_differences="voxels (mm) 1 x 1 x 1, then 1 x 1 x 1.02"), {})
    assert card.whys == []
    assert card.scanned == "The visits were not scanned alike: voxels (mm) 1 x 1 x 1, then 1 x 1 x 1.02."


def test_an_untreated_group_is_not_denied():
    assert write_untreated({"sub-01": 1.0}).startswith("There is no untreated group")
    assert write_untreated({"sub-01": 0.0, "sub-02": 1.0}).startswith("Patients with dose 0: 1.")


@pytest.mark.parametrize(("error", "shown"), [("0.2000", "± 0.20"), (None, "")])
def test_the_bar_is_196_standard_errors_per_year_and_absent_where_unknown(error, shown):
    card = make_cards(make_study(error=error), {})[0]
    assert card.cells[4].text == shown


def test_who_needs_a_look_comes_first_and_says_why():
    study = make_study(status="failed", reason="truncated: ses-BL: the file ends too early.")
    study.atrophy[2]["status"] = "flagged"
    study.quality[6] |= {"status": "flagged", "flags": "noise_percent_high", "messages": "Noise: 9.00 %, above."}
    cards = make_cards(study, {})
    assert [card.participant_id for card in cards] == ["sub-000", "sub-002", "sub-001", "sub-003"]
    assert cards[0].whys == ["ses-BL: the file ends too early."]
    assert cards[1].whys == ["BL: Noise: 9.00 %, above."]
    assert next(row for row in cards[1].quality if row["label"] == "noise")["is_flagged"]


def test_every_value_of_quality_has_its_limit_beside_it():
    row = next(row for row in make_cards(make_study(), {})[0].quality if row["label"] == "noise")
    assert (row["baseline"], row["limit"]) == ("3.00 %", "≤ 8.00 %")


def test_nothing_in_a_table_becomes_markup(tmp_path):
    evil = "<script>alert(1)</script>"
    text = render(make_study(status="failed", reason=f"x: {evil}"), tmp_path, title=evil)
    assert evil not in text
    assert "&lt;script&gt;" in text


def test_negative_numbers_have_minus_signs_and_names_keep_their_hyphens():
    minus, space = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
    assert typeset("sub-01 lost -1.2 % (-0.3 to -0.00)") == f"sub-01 lost {minus}1.2{space}% ({minus}0.3 to 0.00)"
    assert typeset("2021-01-02") == "2021-01-02"


NOBODY = {"gm_change_percent": "n/a", "gm_change_percent_per_year": "n/a"}


def test_a_missing_patients_reason_stands_once_and_whole():
    reason = "There is no ses-M24. There are only: ses-BL, ses-M2.4."
    study = make_study(2, status="missing", reason=f"no_session: {reason}", **NOBODY)
    study.quality[1] |= {"status": "missing", "messages": reason}
    study.quality[2] |= {"status": "missing", "messages": f"{reason} | A visit has no date. The rate is not given."}
    assert make_cards(study, {})[0].whys == [reason, "A visit has no date. The rate is not given."]


def test_the_reasons_of_both_visits_stand_once():
    first, second = "ses-BL: The file is empty.", "There is no ses-M24. There are only: ses-BL."
    study = make_study(2, status="failed", reason=f"empty: {first} {second}", **NOBODY)
    study.quality[0]["messages"], study.quality[1]["messages"] = first, second
    study.quality[2]["messages"] = f"{first} {second}"
    assert make_cards(study, {})[0].whys == [f"{first} {second}"]


def test_the_page_says_who_is_withheld_and_why(tmp_path):
    study = make_study(5, status="failed", reason="mirrored: The follow-up is mirrored. Convert it again.", **NOBODY)
    study.atrophy[1] |= {"status": "missing", "reason": "no_session: There is no ses-M24.", **NOBODY}
    study.atrophy[2] |= {"status": "excluded", "reason": "motion: Excluded by A. R.", **NOBODY}
    study.atrophy[3] |= {"status": "flagged", "flags": "interval_unknown", "gm_change_percent_per_year": "n/a"}
    found = list_withheld(study)
    assert [one.title for one in found] == ["sub-000", "sub-003", "sub-001", "sub-002"]
    assert found[0].reason == "The follow-up is mirrored. Convert it again."
    assert found[1].reason == "Measured, but without gm_change_percent_per_year, which is asked: a visit has no date."
    section = render(study, tmp_path).split('<section id="withheld">')[1].split("</section>")[0]
    assert "4 of 5 are in no number of the result above" in section
    assert section.count("<tr><th") == 5, "a heading and four rows"
    assert "sub-004" not in section


def test_nobody_withheld_is_told(tmp_path):
    text = render(make_study(3), tmp_path)
    assert "Nobody: every planned patient is in the result above." in text


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("error", [None, "0.0000", "0.2000"])
def test_tiny_cohorts_and_an_error_of_nothing_have_a_page(tmp_path, count, error):
    study = make_study(count, error=error)
    for row in study.atrophy:
        row.update(gm_change_percent="-1.0000", gm_change_percent_per_year="-0.5000")
    text = render(study, tmp_path).split("<script>")[0]
    assert not re.search(r"\bnan\b", re.sub(r"data:[^\"]*", "", text), re.IGNORECASE)


def add_pictures(folder, count):
    noise = np.random.default_rng(1).integers(0, 255, (32, 96), dtype=np.uint8)
    for n in range(count):
        figures = folder / f"sub-{n:03}" / "figures"
        figures.mkdir(parents=True)
        for name in ("BL_desc-borders", "M24_desc-borders", "M24_space-midway_desc-baseline"):
            Image.fromarray(noise).save(figures / f"sub-{n:03}_ses-{name}_T1w.jpg")


def test_pictures_of_a_small_study_are_in_the_page(tmp_path):
    add_pictures(tmp_path, 4)
    text = render(make_study(), tmp_path)
    assert text.count("data:image/jpeg;base64,") == 12
    assert "sub-000/figures" not in text


def test_pictures_of_a_large_study_stay_beside_and_load_when_seen(tmp_path, monkeypatch):
    add_pictures(tmp_path, 4)
    monkeypatch.setattr(page, "EMBEDDED_BYTES", 1000)
    text = render(make_study(), tmp_path)
    assert "data:image/jpeg" not in text
    assert 'src="sub-000/figures/sub-000_ses-BL_desc-borders_T1w.jpg"' in text
    assert text.count('loading="lazy"') == 12


def test_pictures_of_what_was_excluded_since_are_not_shown(tmp_path):
    add_pictures(tmp_path, 1)
    study = make_study(1, status="excluded", reason="motion: Excluded.")
    study.quality[1]["status"] = study.quality[2]["status"] = "excluded"
    text = render(study, tmp_path)
    assert text.count("data:image/jpeg") == 1, "the baseline was not excluded"


def test_five_hundred_patients_make_a_page_that_opens(tmp_path):
    text = render(make_study(500, error="0.1"), tmp_path)
    assert len(text) < MAX_BYTES_OF_500
    assert text.count('<details class="card"') == 500
    assert '<details class="card" id="sub-000_ses-M24" data-status="ok">' in text, "closed until asked for"


def test_nobody_measured_is_a_page_all_the_same(tmp_path):
    text = render(make_study(1, status="failed", gm_change_percent="n/a", gm_change_percent_per_year="n/a"), tmp_path)
    assert "was measured in 0 of 1 planned patients" in text


def test_methods_say_what_was_run_with_numbered_references():
    study = make_study(3, status="excluded", reason="motion: Excluded by J. Doe.")
    study.run["config"]["engines"] = {"skull_strip": "freesurfer", "segmentation": "fsl", "change": "another"}
    records = [
        Record("skull_strip", "sub-001", {"visit": "BL"}, "ok", provenance={"tool_versions": {"FreeSurfer": version}})
        for version in ("7.4.1", "8.0.0")
    ]
    methods = write_methods(study, records)
    text = methods.as_markdown()
    assert "SynthStrip [" in text
    assert "Change was done with another." in text
    assert "FreeSurfer 7.4.1 and 8.0.0" in text
    assert "Of 3 planned patients, 2 were measured" in text
    assert "1 were not measured: motion (1)" in text
    assert "N4 [" in text
    named = [int(part.split("]")[0]) for part in text.split("## References")[0].split("[")[1:]]
    assert list(dict.fromkeys(named)) == list(range(1, len(methods.references) + 1))


def test_methods_tell_the_error_and_options_of_what_ran_and_no_analysis_that_did_not():
    study = make_study(3, error="0.12")
    study.run["config"]["engines"] = {"skull_strip": "fsl", "segmentation": "fsl", "change": "embedded"}
    study.run["config"]["statistics"]["covariates"] = ["age"]
    adjusted = answer(analysis="adjusted", pearson_p="0.01000")
    done, failed = (
        write_methods(Study(study.atrophy, [], study.quality, [answer(), row], study.run), []).as_markdown()
        for row in (adjusted, {**adjusted, "pearson_p": "n/a"})
    )
    assert "Options: fsl bet fraction 0.5." in done
    assert "was 0.12 to 0.12 percentage points" in done
    assert "A second analysis held age fixed" in done
    assert "A second analysis" not in failed
    assert "with age held fixed was planned; the patients were too few" in failed


def test_who_was_measured_without_a_rate_is_counted_as_measured():
    study = make_study(5, status="flagged", gm_change_percent_per_year="n/a", error="0.1")
    assert write_certainty(study)[0].startswith(
        "5 of 5 planned patients (4 with the outcome that is asked) were measured."
    )


def test_an_interval_of_the_studys_own_scanner_is_told_as_such(tmp_path):
    study = make_study(3, error="0.3", widened_intervals="gm_change")
    study.run["config"]["quality"]["repeatability"] = "/data/repeatability.tsv"
    cards = {card.participant_id: dict(card.numbers) for card in make_cards(study, {})}
    told = "widened to the repeatability of the study's own scanner"
    assert told in cards["sub-000"]["Gray matter, change"]
    assert told not in cards["sub-001"]["Gray matter, change"]
    assert "1 of 3 are as wide as the smallest detectable change" in render(study, tmp_path)
    methods = write_methods(study, []).as_markdown()
    assert "that widened 1 of 3." in methods
    assert "https://doi.org/10.1177/0962280214537344" in methods


def test_a_card_tells_structures_that_were_measured():
    study = make_study(2, thalamus_change_percent="-1.8000", thalamus_change_se_points="0.2")
    with_structures, without = (dict(card.numbers) for card in make_cards(study, {}))
    assert with_structures["Thalamus, change"] == "-1.80 % (95 % interval -2.19 to -1.41)"
    assert not {"Thalamus, change", "Lateral ventricles, change"} & set(without)


def test_a_card_tells_the_slope_of_a_patient_who_was_measured():
    study = make_study(3, status="failed")
    slopes = [
        row_of(
            "slopes",
            participant_id=f"sub-{n:03}",
            visits="4",
            gm_slope_percent_per_year="-0.6200",
            gm_slope_se_points_per_year="0.1",
        )
        for n in range(2)
    ]
    study = Study(study.atrophy, [], study.quality, [], study.run, slopes=slopes)
    cards = {card.participant_id: dict(card.numbers) for card in make_cards(study, {})}
    words = "Gray matter, slope through 4 visits"
    assert cards["sub-001"][words] == "-0.62 % per year (95 % interval -0.82 to -0.42)"
    assert words not in cards["sub-000"]
    assert words not in cards["sub-002"]


def test_without_a_table_of_repeatability_nothing_is_said_of_it(tmp_path):
    study = make_study(3, error="0.3")
    assert "own scanner" not in write_methods(study, []).as_markdown()
    assert "own scanner" not in render(study, tmp_path)


@pytest.mark.parametrize(
    ("column", "half"),
    [
        ("gm_change_percent", 0.196),
        ("gm_change_percent_per_year", 0.098),
        ("brain_change_percent", 0.392),
        ("wm_change_percent", None),
        ("gm_difference_percent", None),
    ],
)
def test_each_change_has_the_interval_of_its_own_error(column, half):
    row = row_of("atrophy", gm_change_se_points="0.1", brain_change_se_points="0.2", interval_years="2.0")
    found = half_interval(row, column)
    assert found == (None if half is None else pytest.approx(half))


def test_the_change_that_was_widened_says_so():
    cells = {"brain_change_percent": "-1.0", "brain_change_se_points": "0.2", "widened_intervals": "brain_change"}
    row = row_of("atrophy", gm_change_percent="-1.0", gm_change_se_points="0.1", **cells)
    assert "own scanner" in show_change(row, "brain_change_percent")
    assert "own scanner" not in show_change(row, "gm_change_percent")
