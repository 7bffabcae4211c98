import json
from datetime import date

import pytest

from graytrace.study.config import load_config
from graytrace.study.plan import plan_study
from graytrace.study.protocol import MAX_SIDECAR_BYTES, Protocol, compare_protocols, read_sidecar

PRISMA = {
    "Manufacturer": "Siemens",
    "ManufacturersModelName": "Prisma_fit",
    "DeviceSerialNumber": "166001",
    "SoftwareVersions": "syngo_MR_E11",
    "MagneticFieldStrength": 3,
    "SequenceName": "*tfl3d1_16ns",
    "RepetitionTime": 2.3,
    "EchoTime": 0.00298,
    "InversionTime": 0.9,
    "FlipAngle": 9,
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
}


@pytest.fixture
def pair(bids, content):
    """The one pair of a plan whose scans have these sidecars."""

    def make(baseline, followup):
        bids.patient("01")
        for visit, content_ in (("BL", baseline), ("M24", followup)):
            bids.scan("01", visit, f"sub-01_ses-{visit}_T1w.json").write_text(json.dumps(content_))
        return plan_study(load_config(content)).pairs[0]

    return make


def codes(flags):
    return [flag.code for flag in flags]


def test_visits_scanned_alike_have_no_flag(pair):
    assert pair(PRISMA, {**PRISMA, "RepetitionTime": 2.3001, "MagneticFieldStrength": 2.89}).status == "ok"


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"ManufacturersModelName": "Skyra"}, "scanner_differs", "scanner Siemens Prisma_fit, then Siemens Skyra"),
        ({"DeviceSerialNumber": 45}, "scanner_differs", "scanner id 166001, then 45"),
        ({"SoftwareVersions": "syngo_MR_XA30"}, "software_differs", "syngo_MR_XA30"),
        ({"MagneticFieldStrength": 1.5}, "field_strength_differs", "field strength (T) 3, then 1.5"),
        ({"SequenceName": "gre"}, "sequence_differs", "sequence tfl3d1_16ns, then gre"),
        ({"EchoTime": 0.0035}, "sequence_differs", "echo time (s) 0.00298, then 0.0035"),
        ({"ImageType": ["ORIGINAL", "DIS3D"]}, "distortion_correction_differs", "none, then 3D"),
        ({"ContrastBolusIngredient": "GADOLINIUM"}, "contrast_agent_differs", "none, then GADOLINIUM"),
    ],
)
def test_what_differs_is_a_flag_and_never_an_error(pair, changed, code, words):
    made = pair(PRISMA, {**PRISMA, **changed})
    assert made.is_measured
    assert code in codes(made.flags)
    assert words in made.protocol_flags[0].message


def test_what_one_visit_does_not_say_is_no_difference(pair):
    assert pair(PRISMA, {}).status == "ok"


def test_a_correction_of_unknown_kind_differs_only_from_none():
    known = {said: Protocol(distortion_correction=said) for said in ("yes", "2D", "none")}
    assert compare_protocols(known["yes"], known["2D"]) == ()
    assert codes(compare_protocols(known["yes"], known["none"])) == ["distortion_correction_differs"]


def test_contrast_agent_of_the_sidecar_flags_its_scan(pair):
    made = pair(PRISMA, {**PRISMA, "ContrastBolusIngredient": "GADOLINIUM"})
    assert codes(made.followup.flags) == ["contrast_agent"]


def test_a_sidecar_above_holds_for_all_and_the_nearest_counts(bids, content):
    bids.patient("01")
    (bids.root / "T1w.json").write_text(json.dumps(PRISMA))
    (bids.root / "acq-other_T1w.json").write_text(json.dumps({"MagneticFieldStrength": 7}))
    nearest = bids.root / "sub-01" / "ses-M24" / "anat" / "sub-01_ses-M24_T1w.json"
    nearest.write_text(json.dumps({"MagneticFieldStrength": 1.5}))
    (pair,) = plan_study(load_config(content)).pairs
    assert [scan.protocol.field_strength_t for scan in (pair.baseline, pair.followup)] == [3, 1.5]
    assert pair.followup.protocol.scanner == "Siemens Prisma_fit"


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", "\x00", "\xff", "[" * 5000, '{"AcquisitionDateTime": "2021-02-30"}'],
)
def test_a_faulty_sidecar_flags_its_visit_only(bids, content, text):
    bids.patient("01")
    bids.scan("01", "M24", "sub-01_ses-M24_T1w.json").write_text(text, encoding="latin-1")
    (pair,) = plan_study(load_config(content)).pairs
    assert pair.is_measured
    assert pair.baseline.flags == ()
    assert codes(pair.followup.flags) in (["sidecar_unreadable"], ["date_unreadable"])


def test_a_huge_sidecar_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "T1w.json"
    with path.open("wb") as file:
        file.truncate(MAX_SIDECAR_BYTES + 1)
    assert codes(read_sidecar([path]).flags) == ["sidecar_unreadable"]


@pytest.mark.parametrize("value", [None, True, {"a": 1}, [], [None], float("inf"), 10**400, "x" * 10_000, "a\nb\tc"])
def test_values_of_a_wrong_kind_do_no_harm(tmp_path, value):
    path = tmp_path / "T1w.json"
    path.write_text(json.dumps(dict.fromkeys(PRISMA, value)))
    protocol = read_sidecar([path]).protocol
    assert protocol.scanner is None or (len(protocol.scanner) < 400 and "\n" not in protocol.scanner)
    assert protocol.field_strength_t is None


@pytest.mark.parametrize("text", ["2021-03-08T10:00:00.123456", "20210308", "20210308100000.123", "2021-03-08"])
def test_the_sidecar_gives_the_date_where_no_table_does(bids, content, text):
    bids.patient("01", followup="n/a")
    sidecar = bids.scan("01", "M24", "sub-01_ses-M24_T1w.json")
    sidecar.write_text(json.dumps({"AcquisitionDateTime": text}))
    assert plan_study(load_config(content)).pairs[0].followup.day == date(2021, 3, 8)


def test_a_number_in_quotes_counts(tmp_path):
    path = tmp_path / "scan.json"
    path.write_text('{"EchoTime": "0.003", "FlipAngle": "nine"}')
    protocol = read_sidecar([path]).protocol
    assert (protocol.echo_time_s, protocol.flip_angle_deg) == (0.003, None)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("EchoTime", 3, "EchoTime is 3, expected 0 to 1 seconds"),
        ("RepetitionTime", 2300, "RepetitionTime is 2300, expected 0 to 60 seconds"),
        ("MagneticFieldStrength", -3, "MagneticFieldStrength is -3, expected 0 to 25 tesla"),
        ("FlipAngle", "nine", "FlipAngle is nine, expected 0 to 360 degrees"),
        ("InversionTime", 1e300, "InversionTime is 1e+300, expected 0 to 30 seconds"),
    ],
)
def test_an_impossible_value_is_told_and_not_used_and_the_others_count(pair, key, value, told):
    made = pair(PRISMA, {**PRISMA, key: value})
    assert codes(made.followup.flags) == ["sidecar_value_impossible"]
    assert told in made.followup.flags[0].message
    assert made.protocol_flags == ()
    assert made.followup.protocol.scanner == "Siemens Prisma_fit"


def test_a_list_of_echo_times_is_no_impossible_value(pair):
    assert pair(PRISMA, {**PRISMA, "EchoTime": [0.001, 0.003]}).status == "ok"
