"""Input that nobody wrote on purpose: only our own errors may come out, and soon.

Each property is tried on as many inputs as `INPUTS` says, drawn anew in each run.
`fuzz_longer.py` beside this file goes on with a coverage-guided fuzzer.
"""

import gzip
import json

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graytrace.commands.audit import describe_entry
from graytrace.errors import PipelineError
from graytrace.images.reading import read_scan, read_volume
from graytrace.results.review import read_review
from graytrace.study.config import load_config, read_config
from graytrace.study.dates import parse_date, parse_scanner_date
from graytrace.study.exclusions import read_exclusions
from graytrace.study.protocol import read_sidecar
from graytrace.study.scan_list import ScanListSource
from graytrace.study.sources import read_dates
from graytrace.tables import read_rows
from graytrace.workflow.audit_trail import HEAD_NAME, TRAIL_NAME, read_trail
from graytrace.workflow.locked_plan import read_plan

INPUTS = 200
fuzzed = settings(max_examples=INPUTS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEADER_BYTES = 560  # of NIfTI-1 and NIfTI-2, with the beginning of their extensions


def _seed(kind, dtype):
    grid = np.indices((12, 12, 12)) - 6
    image = kind(np.where((grid**2).sum(0) < 25, 700, 20).astype(dtype), np.diag([8.0, 8, 8, 1]))
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, 1)
    return image.to_bytes()


SEEDS = [_seed(nib.Nifti1Image, np.int16), _seed(nib.Nifti1Image, np.float32), _seed(nib.Nifti2Image, np.float64)]
patches = st.lists(st.tuples(st.integers(0, HEADER_BYTES), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)
text = st.text(st.characters(codec="utf-8"), max_size=40)
cells = st.one_of(
    text,
    st.sampled_from(["sub-01", "01", "BL", "M24", "BL_M24", "2021-02-30", "n/a", "motion", "a.nii.gz", "../x", '"']),
)


changed_entries = st.fixed_dictionaries(
    {"number": st.integers(-2, 3), "previous": text},
    optional={
        "changes": st.lists(st.lists(st.one_of(st.none(), text), min_size=3, max_size=5), max_size=2),
        "details": st.dictionaries(text, st.one_of(text, st.booleans(), st.lists(text, max_size=1)), max_size=2),
        "found": st.lists(st.one_of(text, st.none()), max_size=2),
        "torn_before": st.booleans(),
        "event": st.one_of(text, st.integers()),
    },
).map(lambda entry: json.dumps(entry).encode())


def attempt(call, *arguments, **named):
    try:
        return call(*arguments, **named)
    except PipelineError:
        return None


@fuzzed
@given(st.sampled_from(SEEDS), patches, st.one_of(st.none(), st.integers(0, 5000)), st.booleans())
def test_a_damaged_image_is_an_image_error_or_an_image(tmp_path, seed, changes, cut, compressed):
    content = bytearray(seed)
    for start, new in changes:
        content[start : start + len(new)] = new
    path = tmp_path / ("scan.nii.gz" if compressed else "scan.nii")
    path.write_bytes(gzip.compress(bytes(content[:cut]), 1) if compressed else content[:cut])
    attempt(read_scan, path)
    attempt(read_volume, path)


@fuzzed
@given(st.lists(st.lists(cells, min_size=1, max_size=7), max_size=8), st.binary(max_size=30))
def test_a_damaged_table_is_a_table_error_or_a_table(tmp_path, rows, tail):
    path = tmp_path / "table.tsv"
    for header in (
        "participant_id\tvisit\treason\twho\twhen\tnote",
        "participant_id\tvisit\tdate\tt1w\tflair\tlesion_mask",
        "reader\tpatient\tverdict\treason\twhen",
    ):
        path.write_bytes("\n".join([header, *("\t".join(row) for row in rows)]).encode() + tail)
        attempt(read_rows, path, required=["participant_id"])
        attempt(read_exclusions, path, participants=["sub-01"], baseline="BL", followups=["M24"])
        attempt(read_dates, path)
        attempt(ScanListSource, path)
        attempt(read_review, path, ["sub-01"])


@fuzzed
@given(st.lists(st.one_of(st.binary(max_size=80), changed_entries), max_size=6), st.binary(max_size=60))
def test_a_damaged_trail_is_a_trail_with_faults(tmp_path, lines, head):
    (tmp_path / TRAIL_NAME).write_bytes(b"\n".join(lines))
    (tmp_path / HEAD_NAME).write_bytes(head)
    found = attempt(read_trail, tmp_path)
    assert found.faults or not any(lines)
    for entry in found.entries:
        describe_entry(entry)


@fuzzed
@given(st.binary(max_size=200))
def test_bytes_that_are_no_file_of_ours_are_our_error(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    attempt(read_plan, path)
    attempt(read_rows, path, required=["participant_id"])
    attempt(read_config, path)
    read_sidecar([path])


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=6,
)
SIDECAR_KEYS = [
    "Manufacturer",
    "MagneticFieldStrength",
    "SequenceName",
    "RepetitionTime",
    "ImageType",
    "NonlinearGradientCorrection",
    "AcquisitionDateTime",
    "ContrastBolusIngredient",
    "SoftwareVersions",
]


@fuzzed
@given(st.dictionaries(st.sampled_from(SIDECAR_KEYS), json_values))
def test_any_sidecar_is_read_or_flagged(tmp_path, content):
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(content))
    read_sidecar([path])


@fuzzed
@given(st.data())
def test_any_value_in_the_configuration_is_taken_or_refused_in_words(content, data):
    section = data.draw(st.sampled_from(sorted(content)))
    changed = json.loads(json.dumps(content))
    key = data.draw(st.one_of(st.sampled_from(sorted(changed[section])), text))
    changed[section][key] = data.draw(json_values)
    attempt(load_config, changed)


@fuzzed
@given(text)
def test_any_text_is_a_date_or_a_value_error(words):
    for parse in (parse_date, parse_scanner_date):
        try:
            parse(words)
        except ValueError:
            continue


@pytest.fixture
def bomb(tmp_path):
    """A small compressed file that says it holds very much."""

    def make(**header_fields):
        header = nib.Nifti1Header()
        header.set_data_shape((12, 12, 12))
        for name, value in header_fields.items():
            header[name] = value
        path = tmp_path / "bomb.nii.gz"
        with gzip.open(path, "wb", 1) as file:
            file.write(header.binaryblock + bytes(4))
            for _ in range(64):
                file.write(bytes(1 << 20))
        return path

    return make


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"dim": [3, 2000, 2000, 2000, 1, 1, 1, 1]}, "too_large"),
        ({"dim": [3, 32767, 12, 12, 1, 1, 1, 1]}, "too_large"),
        ({"dim": [3, -5, 12, 12, 1, 1, 1, 1]}, "unreadable"),
        ({"vox_offset": 6e7}, "unreadable"),
        ({"vox_offset": float("inf")}, "unreadable"),
        ({"vox_offset": float("nan")}, "unreadable"),
        ({"dim": [4, 12, 12, 12, 32000, 1, 1, 1]}, "not_3d"),
    ],
)
def test_a_giant_is_refused_before_it_is_read(bomb, monkeypatch, fields, code):
    path = bomb(**fields)
    monkeypatch.setattr("graytrace.images.reading._data", lambda *_: pytest.fail("the voxels were read"))
    with pytest.raises(PipelineError) as caught:
        read_scan(path)
    assert caught.value.code == code


def test_no_yaml_tag_makes_an_object(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("study: !!python/object/apply:os.system ['touch pwned']\n")
    with pytest.raises(PipelineError):
        read_config(path)


def test_a_yaml_bomb_is_refused_before_it_grows(tmp_path, content):
    lines = ["study: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    path = tmp_path / "my.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(PipelineError, match="write the values out"):
        load_config(content, [path])
