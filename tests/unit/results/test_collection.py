import base64
import hashlib

import numpy as np
import pytest

from graytrace.findings import Flag, Reason
from graytrace.records import Record, record_path, write_record
from graytrace.results.collection import collect_results, summarize_run
from graytrace.study.config import load_config
from graytrace.study.plan import plan_study
from graytrace.tables import format_table, write_table

VOLUMES = {
    "gm_volume_ml": 600.0,
    "wm_volume_ml": 500.0,
    "csf_volume_ml": 300.0,
    "brain_volume_ml": 1100.0,
    "icv_ml": 1400.0,
}
SAMPLES = {"01": base64.b64encode(bytes(2 * 1728)).decode(), "02": "AAAA"}
ENGINES = {"skull_strip": "embedded", "change": "embedded"}


def write_unchecked(study, participant, step, visits, measures):
    """A record with numbers that no step can write, sealed as if it had."""
    study.record(participant, step, visits, measures={**measures, "edge_width_mm": None})
    path = study.path(participant, step, visits)
    value = measures["edge_width_mm"]
    text = {"wide": '"wide"', True: "true"}.get(value, "1e999" if value == float("inf") else str(value))
    body = path.read_text().replace('"edge_width_mm": null', f'"edge_width_mm": {text}')
    body, _, _ = body.rpartition(',\n  "sha256": "')
    path.write_text(f'{body},\n  "sha256": "{hashlib.sha256(body.encode()).hexdigest()}"\n}}\n')


@pytest.fixture
def study(content, bids):
    class Study:
        tree = bids

        def path(self, participant, step, visits):
            return record_path(load_config(content).output_dir, participant, visits, step)

        def record(self, participant, step, visits, **known):
            known = {"status": "ok", **known}
            write_record(self.path(participant, step, visits), Record(step, participant, visits, **known))

        def finish(self, participant, change=-1.5, volumes=VOLUMES):
            for visit, followed in (("BL", volumes), ("M24", {**volumes, "gm_volume_ml": 591.0})):
                self.finish_scan(participant, visit, followed)
            pair = {"baseline": "BL", "followup": "M24"}
            self.record(participant, "align_visits", pair, measures={"scale_percent": 0.1})
            self.record(participant, "measure_change", pair, measures={"gm_change_percent": change})
            self.record(participant, "check_pair", pair, measures={"skull_residual_mm": 0.2})

        def finish_scan(self, participant, visit, volumes=VOLUMES):
            for step in ("inspect", "skull_strip", "correct_bias", "segment_tissue", "label_structures"):
                self.record(participant, step, {"visit": visit})
            self.record(participant, "gray_matter_volume", {"visit": visit}, measures=volumes)
            self.record(participant, "check_scan", {"visit": visit}, measures={"noise_percent": 3.0})

        def results(self):
            config = load_config(content)
            return collect_results(plan_study(config), ENGINES, "1.2.3", quality=config.quality)

    return Study()


def test_a_measured_patient_has_every_number(study):
    study.tree.patient("01")
    study.finish("sub-01")
    (row,) = study.results().atrophy
    assert row["status"] == "ok"
    assert row["gm_change_percent"] == -1.5
    assert row["gm_change_percent_per_year"] == pytest.approx(-1.5 / (735 / 365.25))
    assert row["gm_difference_percent"] == pytest.approx(-1.5)
    assert (row["gm_volume_baseline_ml"], row["gm_volume_followup_ml"], row["icv_baseline_ml"]) == (
        600.0,
        591.0,
        1400.0,
    )
    assert (row["engines"], row["version"]) == ("skull_strip=embedded; change=embedded", "1.2.3")


def test_a_flag_of_any_step_flags_the_patient_and_names_the_visit(study):
    study.tree.patient("01")
    study.finish("sub-01")
    study.record("sub-01", "inspect", {"visit": "M24"}, flags=(Flag("thick_slices", "Slices are thick."),))
    results = study.results()
    assert (results.atrophy[0]["status"], results.atrophy[0]["flags"]) == ("flagged", "M24:thick_slices")
    assert [row["status"] for row in results.volumes] == ["ok", "flagged"]
    assert results.quality[1]["messages"] == "Slices are thick."


def test_a_failed_scan_fails_its_patient_with_the_first_cause_and_keeps_the_other_scan(study):
    study.tree.patient("01")
    study.finish("sub-01")
    reason = Reason("truncated", "The file ends too early.")
    study.record("sub-01", "gray_matter_volume", {"visit": "M24"}, status="failed", reason=reason)
    study.record("sub-01", "measure_change", {"baseline": "BL", "followup": "M24"}, status="failed", reason=reason)
    (row,) = study.results().atrophy
    assert (row["status"], row["reason"]) == ("failed", "truncated: The file ends too early.")
    assert row["gm_volume_baseline_ml"] == 600.0
    assert row.get("gm_change_percent") is None


def test_a_missing_scan_leaves_the_volume_of_the_other(study):
    study.tree.scan("01", "BL")
    study.finish_scan("sub-01", "BL")
    (row,) = study.results().atrophy
    assert (row["status"], row["gm_volume_baseline_ml"]) == ("missing", 600.0)


def test_what_did_not_finish_is_failed_not_missing(study):
    study.tree.patient("01")
    (row,) = study.results().atrophy
    assert row["status"] == "failed"
    assert row["reason"].startswith("not_finished: ")


def test_numbers_from_before_a_scan_broke_count_no_more(study, tmp_path):
    study.tree.patient("01")
    study.finish("sub-01")
    (tmp_path / "out" / "records" / "sub-01" / "ses-M24" / "skull_strip.json").unlink()
    results = study.results()
    assert results.atrophy[0]["reason"].startswith("not_finished: skull_strip did not finish")
    assert results.atrophy[0].get("gm_change_percent") is None
    assert [row["status"] for row in results.volumes] == ["ok", "failed"]


def test_a_record_of_a_step_that_is_no_longer_planned_does_not_count(study):
    study.tree.patient("01")
    study.finish("sub-01")
    study.record("sub-01", "find_lesions", {"visit": "BL"}, measures={"lesion_volume_ml": 9.0})
    assert study.results().atrophy[0]["lesion_volume_baseline_ml"] is None


LESION = {"kind": "new", "baseline_ml": 0.0, "followup_ml": 0.3, "center_mm": [-20.0, 5.0, 30.0]}


def with_lesions(study, **measures):
    """A patient with FLAIR at both visits whose lesions were joined."""
    study.tree.patient("01")
    study.finish("sub-01")
    for visit in ("BL", "M24"):
        study.tree.scan("01", visit, f"sub-01_ses-{visit}_FLAIR.nii.gz")
        for step in ("find_lesions", "fill_lesions"):
            study.record("sub-01", step, {"visit": visit}, measures={"lesion_filled_ml": 2.0})
    study.record("sub-01", "join_lesions", {"baseline": "BL", "followup": "M24"}, measures=measures)


def test_each_lesion_has_a_row_and_each_kind_a_count(study):
    with_lesions(study, lesions=[LESION], lesions_new=1, lesions_stable=0)
    results = study.results()
    (row,) = results.lesions
    assert (row["lesion"], row["kind"], row["volume_followup_ml"], row["status"]) == (1, "new", 0.3, "ok")
    assert (row["center_x_mm"], row["center_y_mm"], row["center_z_mm"]) == (-20.0, 5.0, 30.0)
    assert (results.atrophy[0]["lesions_new"], results.atrophy[0]["lesions_stable"]) == (1, 0)
    assert results.volumes[0]["lesion_filled_ml"] == 2.0
    format_table("lesions", results.lesions)


def test_a_pair_with_lesions_that_was_not_measured_has_a_row_that_says_so(study):
    with_lesions(study, lesions=[LESION], lesions_new=1)
    reason = Reason("truncated", "The file ends too early.")
    study.record("sub-01", "gray_matter_volume", {"visit": "M24"}, status="failed", reason=reason)
    results = study.results()
    (row,) = results.lesions
    assert (row["status"], row.get("kind")) == ("failed", None)
    assert results.atrophy[0].get("lesions_new") is None
    format_table("lesions", results.lesions)


def test_a_flair_of_no_use_leaves_no_row_and_no_count(study):
    with_lesions(study)
    results = study.results()
    assert results.lesions == []
    assert results.atrophy[0].get("lesions_new") is None


def test_a_damaged_record_fails_its_patient_only(study, tmp_path):
    study.tree.patient("01")
    study.finish("sub-01")
    study.tree.patient("02")
    study.finish("sub-02")
    (tmp_path / "out" / "records" / "sub-01" / "ses-BL" / "gray_matter_volume.json").write_text("{")
    assert [row["status"] for row in study.results().volumes] == ["failed", "ok", "ok", "ok"]


def test_other_patients_rows_do_not_depend_on_a_bad_one(study):
    study.tree.patient("01")
    study.finish("sub-01")
    alone = study.results()
    study.tree.patient("00", "2021-01-01", "2019-01-01")
    study.tree.scan("02", "M24")
    study.tree.patient("03")
    together = study.results()
    assert alone.atrophy[0] in together.atrophy
    assert all(row in together.volumes for row in alone.volumes)
    assert [row["status"] for row in together.atrophy] == ["failed", "ok", "missing", "failed"]


def test_rows_of_all_tables_agree_with_their_schemas(study):
    study.tree.patient("01")
    study.finish("sub-01")
    study.tree.scan("02", "M24")
    results = study.results()
    for name in ("atrophy", "volumes", "quality"):
        format_table(name, getattr(results, name))


def test_the_last_lines_count_every_status_and_say_where_to_look(study, tmp_path):
    study.tree.patient("01")
    study.finish("sub-01")
    study.tree.scan("02", "M24")
    write_table(tmp_path, "atrophy", study.results().atrophy)
    text = summarize_run(tmp_path)
    assert text.startswith("2 patients: 1 ok, 0 flagged, 0 excluded, 1 missing, 0 failed.")
    assert str(tmp_path / "atrophy.tsv") in text


def test_without_results_the_last_lines_say_so(tmp_path):
    assert summarize_run(tmp_path).startswith("No results yet")


def test_what_is_excluded_keeps_its_row_in_every_table_without_numbers(study, content, tmp_path):
    study.tree.patient("01")
    study.finish("sub-01")
    study.tree.patient("02")
    study.finish("sub-02")
    (tmp_path / "exclusions.tsv").write_text(
        "participant_id\tvisit\treason\twho\twhen\nsub-01\tM24\tmotion\tJ. Doe\t2024-05-01\n"
    )
    whole = study.results()
    content["study"]["exclusions"] = str(tmp_path / "exclusions.tsv")
    results = study.results()
    first, second = results.atrophy
    assert first["status"] == "excluded"
    assert first["reason"] == "motion: Excluded by J. Doe on 2024-05-01: the patient moved."
    assert first.get("gm_change_percent") is None
    assert first["gm_volume_baseline_ml"] == 600.0, "the other scan was not excluded"
    assert second == whole.atrophy[1]
    assert [row["status"] for row in results.volumes] == ["ok", "excluded", "ok", "ok"]
    assert [row["status"] for row in results.quality[:3]] == ["ok", "excluded", "excluded"]
    for name in ("atrophy", "volumes", "quality"):
        format_table(name, getattr(results, name))


def test_every_followup_has_a_row_of_its_own(study, content):
    study.tree.patient("01")
    study.tree.scan("01", "M12")
    content["study"].update(followup=["M12", "M24"], window_months=None)
    study.finish("sub-01")
    study.finish_scan("sub-01", "M12")
    pair = {"baseline": "BL", "followup": "M12"}
    study.record("sub-01", "align_visits", pair)
    study.record("sub-01", "measure_change", pair, measures={"gm_change_percent": -0.7})
    results = study.results()
    assert [(row["visit_followup"], row["gm_change_percent"]) for row in results.atrophy] == [
        ("M12", -0.7),
        ("M24", -1.5),
    ]
    assert [row["visit"] for row in results.volumes] == ["BL", "M12", "M24"]
    assert [row["visit"] for row in results.quality] == ["BL", "M12", "M24", "BL_M12", "BL_M24"]


def test_how_the_visits_were_scanned_differently_stands_in_the_row(study):
    study.tree.patient("01")
    study.finish("sub-01")
    for visit, field, edge in (("BL", 3, 1.0), ("M24", 1.5, 1.2)):
        study.tree.scan("01", visit, f"sub-01_ses-{visit}_T1w.json").write_text(f'{{"MagneticFieldStrength": {field}}}')
        study.record("sub-01", "inspect", {"visit": visit}, measures={"voxel_sizes_mm": [1.0, 1.0, edge]})
    (row,) = study.results().atrophy
    assert row["protocol_differences"] == "field strength (T) 3, then 1.5; voxels (mm) 1 x 1 x 1, then 1 x 1 x 1.2"
    assert row["flags"] == "field_strength_differs"


def test_an_unfinished_run_says_how_to_go_on(study, tmp_path):
    study.tree.patient("01")
    write_table(tmp_path, "atrophy", study.results().atrophy)
    assert "run the same command again" in summarize_run(tmp_path)


def test_numbers_of_quality_stand_in_their_table_and_are_flagged_beyond_their_limit(study, content):
    content["quality"]["limits"] = {"noise_percent": {"max": 2.5}}
    study.tree.patient("01")
    study.finish("sub-01")
    results = study.results()
    assert [row.get("noise_percent") for row in results.quality] == [3.0, 3.0, None]
    assert results.atrophy[0]["flags"] == "BL:noise_percent_high; M24:noise_percent_high"
    assert results.atrophy[0]["gm_change_percent"] == -1.5


def test_a_check_that_did_not_finish_takes_no_result_away(study):
    study.tree.patient("01")
    study.finish("sub-01")
    pair = {"baseline": "BL", "followup": "M24"}
    record_path(study.tree.root.parent / "out", "sub-01", pair, "check_pair").unlink()
    (row,) = study.results().atrophy
    assert (row["status"], row["flags"], row["gm_change_percent"]) == ("flagged", "not_checked", -1.5)


def test_every_row_names_the_versions_of_its_own_tools(study):
    study.tree.patient("01")
    study.finish("sub-01")
    study.record(
        "sub-01", "skull_strip", {"visit": "BL"}, provenance={"tool_versions": {"FSL": "6.0.7", "numpy": "2.4"}}
    )
    pair = {"baseline": "BL", "followup": "M24"}
    measures = {"brain_change_percent": -0.7}
    study.record("sub-01", "measure_change", pair, measures=measures, provenance={"tool_versions": {"ANTs": "2.6.2"}})
    results = study.results()
    (row,) = results.atrophy
    assert row["tool_versions"] == "ANTs 2.6.2; FSL 6.0.7; numpy 2.4"
    assert [volumes["tool_versions"] for volumes in results.volumes] == ["FSL 6.0.7; numpy 2.4", None]
    assert (row["brain_change_percent"], row["gm_change_percent"], row["gm_change_percent_per_year"]) == (
        -0.7,
        None,
        None,
    )


PAIR = {"baseline": "BL", "followup": "M24"}
WITHHELD = {"alignment_similarity": {"min": 0.8}, "detail_similarity": {"max": 0.9995}, "rim_ratio": {"max": 1}}


@pytest.fixture
def wrong(study, content):
    """A finished patient whose checks say something else."""
    content["quality"]["withheld"] = {**WITHHELD, "head_outside_difference_percent": {"max": 40}}
    study.tree.patient("01")
    study.finish("sub-01")

    def make(scan=None, **pair):
        alignment = {"scale_percent": 0.1, "alignment_similarity": 0.99, **pair}
        study.record("sub-01", "align_visits", PAIR, measures=alignment)
        study.record("sub-01", "check_pair", PAIR, measures={"skull_residual_mm": 0.2, **pair})
        study.record("sub-01", "check_scan", {"visit": "M24"}, measures={"noise_percent": 3.0, **(scan or {})})
        return study.results()

    return make


@pytest.mark.parametrize(
    ("known", "code"),
    [
        ({"alignment_similarity": 0.5, "turned_similarity": 0.51}, "another_head"),
        (
            {
                "alignment_similarity": 0.57,
                "turned_similarity": 0.63,
                "turn": {"is_mirror": True, "words": "left is right"},
            },
            "another_head",
        ),
        ({"detail_similarity": 1.0}, "same_scan"),
        ({"head_outside_difference_percent": 80.0}, "skull_stripped_one_visit"),
        (
            {
                "alignment_similarity": 0.9,
                "turned_similarity": 0.99,
                "turn": {"is_mirror": True, "words": "left is right"},
            },
            "mirrored",
        ),
        (
            {
                "alignment_similarity": 0.6,
                "turned_similarity": 0.99,
                "turn": {"is_mirror": False, "words": "top is bottom"},
            },
            "orientation_differs",
        ),
    ],
)
def test_a_pair_that_is_not_one_head_twice_is_withheld_with_its_reason(wrong, known, code):
    results = wrong(**known)
    (row,) = results.atrophy
    assert (row["status"], row["reason"].partition(":")[0]) == ("failed", code)
    assert row["gm_change_percent"] is None
    assert row["gm_change_percent_per_year"] is None
    (pair,) = (row for row in results.quality if row["kind"] == "pair")
    shown = next(name for name in known if name != "turn")
    assert pair[shown] == known[shown], "the value stands beside the limit"
    for name in ("atrophy", "volumes", "quality"):
        format_table(name, getattr(results, name))


def test_a_scan_that_is_no_t1w_is_withheld_and_its_pair_with_it(wrong):
    results = wrong(scan={"rim_ratio": 1.4})
    assert results.atrophy[0]["reason"].startswith("not_t1w")
    assert [row["status"] for row in results.volumes] == ["ok", "failed"]
    assert results.volumes[1].get("gm_volume_ml") is None
    assert results.atrophy[0]["gm_volume_followup_ml"] is None


def test_a_pair_within_the_limits_stands(wrong):
    assert wrong(detail_similarity=0.98, turned_similarity=0.7).atrophy[0]["status"] == "ok"


def _sampled(study, participant, visit, values):
    text = base64.b64encode(values.astype("<u2").tobytes()).decode()
    study.record(participant, "inspect", {"visit": visit}, measures={"voxel_samples": text})


def test_the_same_scan_at_both_visits_or_of_two_patients_fails_and_says_whose(study):
    draws = np.random.default_rng(3).integers(0, 3000, (6, 1728))
    for name in ("01", "02", "03"):
        study.tree.patient(name)
        study.finish(f"sub-{name}")
    for number, (name, visit) in enumerate((name, visit) for name in ("01", "02", "03") for visit in ("BL", "M24")):
        _sampled(study, f"sub-{name}", visit, draws[number])
    assert [row["status"] for row in study.results().atrophy] == ["ok"] * 3
    _sampled(study, "sub-01", "M24", draws[0])
    _sampled(study, "sub-03", "M24", draws[3] + 1)
    rows = study.results().atrophy
    assert [row["status"] for row in rows] == ["failed"] * 3
    assert rows[0]["reason"].startswith("same_scan: ses-")
    assert "sub-03 ses-M24" in rows[1]["reason"]
    assert "sub-02 ses-M24" in rows[2]["reason"]


def test_a_short_interval_gives_no_rate_and_says_so(study):
    study.tree.patient("01", "2019-03-04", "2019-03-05")
    study.finish("sub-01")
    (row,) = study.results().atrophy
    assert row["gm_change_percent"] == -1.5
    assert row["gm_change_percent_per_year"] is None
    assert "interval_short" in row["flags"]


def test_a_metric_comes_from_the_step_that_the_schema_names_and_from_no_other(study):
    study.tree.patient("01")
    study.finish("sub-01")
    study.record("sub-01", "segment_tissue", {"visit": "BL"}, measures={"noise_percent": 9.0})
    study.record("sub-01", "check_scan", {"visit": "BL"}, measures={"entropy_focus": 0.4})
    assert study.results().quality[0].get("noise_percent") is None


@pytest.mark.parametrize("value", [-1.5, "wide", 1e999, True])
def test_an_impossible_number_of_quality_is_left_out_with_a_flag_and_the_others_stay(study, tmp_path, value):
    for participant in ("01", "02"):
        study.tree.patient(participant)
        study.finish(f"sub-{participant}")
    good = study.results()
    measures = {"noise_percent": 3.0, "edge_width_mm": value}
    write_unchecked(study, "sub-01", "check_scan", {"visit": "BL"}, measures)
    results = study.results()
    for name in ("atrophy", "volumes", "quality"):
        write_table(tmp_path, name, getattr(results, name))
    (first, second) = results.atrophy
    assert (first["status"], first["flags"], first["gm_change_percent"]) == ("flagged", "BL:value_impossible", -1.5)
    assert second == good.atrophy[1]
    (row,) = [row for row in results.quality if "value_impossible" in (row["flags"] or "")]
    assert row["messages"].startswith(f"A value is impossible and is left out: edge_width_mm is {value!r}, expected a")
    assert (row.get("edge_width_mm"), row["noise_percent"]) == (None, 3.0)


def test_an_impossible_volume_fails_its_row_and_the_others_stay(study, tmp_path):
    for participant in ("01", "02"):
        study.tree.patient(participant)
        study.finish(f"sub-{participant}")
    good = study.results()
    study.record("sub-01", "gray_matter_volume", {"visit": "BL"}, measures={**VOLUMES, "icv_ml": -2.0})
    results = study.results()
    for name in ("atrophy", "volumes", "quality"):
        write_table(tmp_path, name, getattr(results, name))
    (first, second) = results.atrophy
    assert first["status"] == "failed"
    assert first["reason"].startswith("value_impossible: A value is impossible: icv_ml is -2.0, expected at least 0.")
    assert (first.get("gm_change_percent"), first["gm_volume_baseline_ml"]) == (None, None)
    assert second == good.atrophy[1]


def test_more_than_all_gray_matter_lost_is_impossible(study):
    study.tree.patient("01")
    study.finish("sub-01", change=-130.0)
    assert study.results().atrophy[0]["reason"].startswith("value_impossible: ")


def test_a_failed_row_shows_no_impossible_number(study):
    study.tree.patient("01")
    study.finish("sub-01")
    pair = {"baseline": "BL", "followup": "M24"}
    study.record("sub-01", "align_visits", pair, measures={"scale_percent": 0.1, "stretch_percent": -4.0})
    reason = Reason("not_measurable", "Nothing fits.")
    study.record("sub-01", "measure_change", pair, status="failed", reason=reason)
    results = study.results()
    format_table("quality", results.quality)
    assert results.atrophy[0]["reason"] == "not_measurable: Nothing fits."
    assert results.quality[2].get("scale_percent") == 0.1


def test_samples_of_another_number_stop_nobodys_comparison(study):
    for participant in ("01", "02"):
        study.tree.patient(participant)
        study.finish(f"sub-{participant}")
        study.record(f"sub-{participant}", "inspect", {"visit": "BL"}, measures={"voxel_samples": SAMPLES[participant]})
    assert [row["status"] for row in study.results().atrophy] == ["ok", "ok"]


def test_a_check_that_failed_is_told(study):
    study.tree.patient("01")
    study.finish("sub-01")
    reason = Reason("not_measurable", "check_scan came to no finite rim_ratio.")
    study.record("sub-01", "check_scan", {"visit": "M24"}, status="failed", reason=reason)
    results = study.results()
    assert (results.atrophy[0]["status"], results.atrophy[0]["flags"]) == ("flagged", "M24:not_checked")
    assert results.quality[1]["messages"] == "Its quality was not checked: check_scan came to no finite rim_ratio."


def test_no_interval_is_narrower_than_what_the_studys_own_scanner_shows(study, content, tmp_path):
    study.tree.patient("01")
    study.finish("sub-01")
    measures = {
        "gm_change_percent": -1.5,
        "gm_change_se_points": 0.1,
        "gm_change_low_percent": -1.696,
        "gm_change_high_percent": -1.304,
    }
    study.record("sub-01", "measure_change", {"baseline": "BL", "followup": "M24"}, measures=measures)
    before = study.results().atrophy[0]
    row = {
        "measure": "gm_change_percent",
        "kind": "pairs",
        "patients": 20,
        "pairs": 20,
        "intervals": 0,
        "sdc_points": 0.6,
        "selection": "visits at most 14 days apart",
        "engines": "; ".join(f"{stage}={engine}" for stage, engine in content["engines"].items()),
        "version": "1.2.3",
    }
    write_table(tmp_path / "scanner", "repeatability", [row])
    content["quality"]["repeatability"] = str(tmp_path / "scanner" / "repeatability.tsv")
    config = load_config(content)
    after = collect_results(plan_study(config), config.engines, "1.2.3", quality=config.quality).atrophy[0]
    assert (before["gm_change_low_percent"], before["widened_intervals"]) == (-1.696, None)
    assert after["gm_change_low_percent"] == pytest.approx(-2.1)
    assert after["gm_change_high_percent"] == pytest.approx(-0.9)
    assert after["gm_change_se_points"] == pytest.approx(0.6 / 1.96)
    assert after["widened_intervals"] == "gm_change"
    assert after["gm_change_percent"] == before["gm_change_percent"]
