"""Results as rows like those of SDTM's domain NV: what a program that reads them can rely on."""

import csv
import json
import re

import pytest

from graytrace.cli import main
from graytrace.results.sdtm import load_mapping, variables
from graytrace.schemas import load_schema

LONG = "ses-BL: " + "the scan cannot be measured, and this sentence says why at some length; " * 8 + "copy it again."


def export(folder, out, *more):
    return main(["export", "--sdtm", str(folder), str(out), *more])


def read(out, name):
    with (out / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def trial(finish, rows):
    """Two measured patients, one of them flagged, and one whose baseline could not be measured."""
    flagged = rows[0]("sub-02", -0.5, status="flagged", flags="scale_differs", protocol_differences="scanner A, then B",
                      widened_intervals="gm_change; wm_change")  # fmt: skip
    return finish(rows[0]("sub-01", -1.5), flagged, rows[1]("sub-03", "failed", f"truncated: {LONG}"))


@pytest.fixture
def out(trial, tmp_path):
    folder = tmp_path / "sdtm"
    assert export(trial, folder) == 0
    return folder


def test_every_number_of_the_tables_is_exported_as_it_stands(trial, out):
    records = {(one["USUBJID"], one["NVTESTCD"], one["VISIT"]): one for one in read(out, "nv")}
    with (trial / "volumes.tsv").open(newline="") as file:
        volumes = list(csv.DictReader(file, delimiter="\t"))
    with (trial / "atrophy.tsv").open(newline="") as file:
        changes = list(csv.DictReader(file, delimiter="\t"))
    seen = 0
    for code, test in load_mapping()["tests"].items():
        for row in volumes if test["table"] == "volumes" else changes:
            if row[test["column"]] != "n/a":
                visit = row.get("visit") or row["visit_followup"]
                record = records[f"TRIAL-7-{row['participant_id'][4:]}", code, visit]
                assert record["NVORRES"] == record["NVSTRESC"] == record["NVSTRESN"] == row[test["column"]]
                assert record["NVORRESU"] == ("mL" if test["table"] == "volumes" else "%")
                seen += 1
    assert seen == 2 * (2 * 5 + 5)


def test_what_was_not_measured_is_not_done_with_its_reason(out):
    undone = [one for one in read(out, "nv") if one["USUBJID"] == "TRIAL-7-03"]
    assert len(undone) == 2 * 5 + 5
    assert {one["NVSTAT"] for one in undone} == {"NOT DONE"}
    assert {(one["NVORRES"], one["NVSTRESN"], one["NVORRESU"]) for one in undone} == {("", "", "")}
    extra = read(out, "suppnv")
    for one in undone:
        own = {
            each["QNAM"]: each["QVAL"]
            for each in extra
            if (each["USUBJID"], each["IDVARVAL"]) == ("TRIAL-7-03", one["NVSEQ"])
        }
        whole = [one["NVREASND"], *(own[name] for name in sorted(own) if re.fullmatch(r"NVREAS\d", name))]
        assert " ".join(whole) == LONG
        assert len(whole) > 2
        assert (own["NVSTATUS"], own["NVREASCD"]) == ("failed", "truncated")
    others = [one for one in read(out, "nv") if one["USUBJID"] != "TRIAL-7-03"]
    assert {(one["NVSTAT"], one["NVREASND"]) for one in others} == {("", "")}


def test_a_number_that_the_engine_does_not_give_is_not_done(finish, rows, tmp_path):
    folder = finish(rows[0]("sub-01", -1.5, deep_gm_change_percent=None))
    export(folder, tmp_path / "sdtm")
    (one,) = (one for one in read(tmp_path / "sdtm", "nv") if one["NVSTAT"])
    assert (one["NVTESTCD"], one["NVREASND"]) == ("DGMPCHG", "The engine that was used does not give this number.")


def test_structures_have_records_where_they_were_measured(finish, rows, tmp_path):
    folder = finish(rows[0]("sub-01", -1.5, thalamus_change_percent=-2.25), rows[0]("sub-02", -1.0))
    export(folder, tmp_path / "sdtm")
    found = [(one["USUBJID"], one["NVORRES"]) for one in read(tmp_path / "sdtm", "nv") if one["NVTESTCD"] == "THPCHG"]
    assert [(subject, float(value)) for subject, value in found] == [("TRIAL-7-01", -2.25)]


def test_names_keep_the_lengths_of_the_standard(out):
    mapping = load_mapping()
    for record in read(out, "nv"):
        assert re.fullmatch(r"[A-Z][A-Z0-9]{0,7}", record["NVTESTCD"])
        assert len(record["NVTEST"]) <= 40
        assert max(len(value) for value in record.values()) <= 200
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["NVDTC"])
    for record in read(out, "suppnv"):
        assert re.fullmatch(r"[A-Z][A-Z0-9]{0,7}", record["QNAM"])
        assert 0 < len(record["QLABEL"]) <= 40
        assert 0 < len(record["QVAL"]) <= 200
    for described in mapping["datasets"].values():
        assert all(len(name) <= 8 and len(told["label"]) <= 40 for name, told in described["variables"].items())


def test_the_columns_of_the_mapping_are_those_of_the_tables():
    for test in load_mapping()["tests"].values():
        assert test["column"] in load_schema(test["table"])["properties"]


def test_records_are_counted_within_a_subject_and_their_keys_are_unique(out):
    records = read(out, "nv")
    for subject in {one["USUBJID"] for one in records}:
        own = [one for one in records if one["USUBJID"] == subject]
        assert [int(one["NVSEQ"]) for one in own] == list(range(1, len(own) + 1))
        assert [int(one["VISITNUM"]) for one in own] == sorted(int(one["VISITNUM"]) for one in own)
    keys = load_mapping()["datasets"]["NV"]["keys"]
    assert len({tuple(one[key] for key in keys) for one in records}) == len(records)
    known = {(one["USUBJID"], one["NVSEQ"]) for one in records}
    extra = read(out, "suppnv")
    assert {(one["USUBJID"], one["IDVARVAL"]) for one in extra} <= known
    keys = load_mapping()["datasets"]["SUPPNV"]["keys"]
    assert len({tuple(one[key] for key in keys) for one in extra}) == len(extra)


def test_intervals_flags_and_the_reference_visit_are_qualifiers_of_their_change(out):
    (change,) = (one for one in read(out, "nv") if (one["USUBJID"], one["NVTESTCD"]) == ("TRIAL-7-02", "GMPCHG"))
    own = {one["QNAM"]: one["QVAL"] for one in read(out, "suppnv")
           if (one["USUBJID"], one["IDVARVAL"]) == ("TRIAL-7-02", change["NVSEQ"])}  # fmt: skip
    assert own == {
        "NVSTATUS": "flagged", "NVFLAG": "scale_differs", "NVSE": "0.1000", "NVCILO": "-0.7000", "NVCIHI": "-0.3000",
        "NVWIDE": "Y", "NVREFVIS": "BL", "NVREFDTC": "2019-03-04", "NVPROT": "scanner A, then B",
        "NVENG": "segmentation=embedded; change=embedded",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["nv", "suppnv"])
def test_dataset_json_has_what_its_specification_asks_for(out, name):
    content = json.loads((out / f"{name}.json").read_text())
    rows = read(out, name)
    assert content["datasetJSONVersion"] == "1.1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", content["datasetJSONCreationDateTime"])
    assert (content["itemGroupOID"], content["name"]) == (f"IG.{name.upper()}", name.upper())
    assert content["records"] == len(content["rows"]) == len(rows)
    assert [column["name"] for column in content["columns"]] == list(variables(name.upper()))
    kinds = {"string": str, "integer": int, "double": (float, type(None))}
    for row in content["rows"]:
        for column, value in zip(content["columns"], row, strict=True):
            assert isinstance(value, kinds[column["dataType"]])
            assert column["dataType"] != "string" or len(value) <= column["length"]
    assert [
        c["name"] for c in sorted((c for c in content["columns"] if "keySequence" in c), key=lambda c: c["keySequence"])
    ] == (load_mapping()["datasets"][name.upper()]["keys"])


def test_two_exports_have_the_same_bytes(trial, out, tmp_path):
    export(trial, tmp_path / "again")
    names = sorted(path.name for path in out.iterdir())
    assert names == ["define.json", "nv.csv", "nv.json", "suppnv.csv", "suppnv.json"]
    for name in names:
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_several_followups_are_numbered_in_the_order_of_the_configuration(finish, rows, tmp_path):
    later = rows[0]("sub-01", -1.5)
    folder = finish(later, followup=["M12", "M24"])
    export(folder, tmp_path / "sdtm")
    assert {(one["VISIT"], one["VISITNUM"]) for one in read(tmp_path / "sdtm", "nv")} == {("BL", "1"), ("M24", "3")}


def test_a_table_of_subjects_gives_their_names(trial, tmp_path, capsys):
    table = tmp_path / "subjects.tsv"
    table.write_text("participant_id\tusubjid\n01\tX-001\nsub-02\tX-002\n03\tX-003\n")
    assert export(trial, tmp_path / "sdtm", "--subjects", str(table), "--study-id", "X") == 0
    records = read(tmp_path / "sdtm", "nv")
    assert {(one["STUDYID"], one["USUBJID"]) for one in records} == {("X", f"X-00{n}") for n in (1, 2, 3)}
    table.write_text("participant_id\tusubjid\n01\tX-001\n02\tX-001\n")
    assert export(trial, tmp_path / "sdtm", "--subjects", str(table)) == 1
    assert "no usubjid of sub-03" in capsys.readouterr().err
    table.write_text("participant_id\tusubjid\n01\tX-001\n02\tX-001\n03\tX-003\n")
    assert export(trial, tmp_path / "sdtm", "--subjects", str(table)) == 1
    assert "X-001 to several participants" in capsys.readouterr().err
    table.write_text("participant_id\tusubjid\n01\tX-001\nsub-01\tX-002\n")
    assert export(trial, tmp_path / "sdtm", "--subjects", str(table)) == 1
    assert "line 3: sub-01 has another usubjid" in capsys.readouterr().err


def test_a_study_id_that_is_none_is_refused(trial, tmp_path, capsys):
    assert export(trial, tmp_path / "sdtm", "--study-id", "my trial!") == 1
    assert "'my trial!' is no identifier of a study" in capsys.readouterr().err


def test_a_table_that_was_changed_by_hand_is_refused(trial, tmp_path, capsys):
    table = trial / "volumes.tsv"
    table.write_text(table.read_text().replace("100.250", "100.260", 1))
    assert export(trial, tmp_path / "sdtm") == 1
    assert "volumes.tsv was changed since the run wrote it" in capsys.readouterr().err
    assert not (tmp_path / "sdtm").exists()


def test_a_damaged_run_json_is_one_sentence(trial, tmp_path, capsys):
    (trial / "run.json").write_text('{"tables": 3}')
    assert export(trial, tmp_path / "sdtm") == 1
    assert "is not what a run writes" in capsys.readouterr().err


def test_the_description_tells_which_tables_it_was_made_from(out):
    told = json.loads((out / "define.json").read_text())
    assert set(told["madeFrom"]) == {"volumes.tsv", "atrophy.tsv"}
    assert set(told["codelists"]["NVTESTCD"]) == {one["NVTESTCD"] for one in read(out, "nv")} | {
        "LESVOL",
        "THPCHG",
        "LVPCHG",
    }
    used = {re.sub(r"\d$", "", one["QNAM"]) for one in read(out, "suppnv")}
    assert used <= set(told["codelists"]["QNAM"])
    assert "claims no conformance" in told["note"]
