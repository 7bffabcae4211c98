import json

import pytest

from graytrace.errors import PipelineError, ScanTableError
from graytrace.schemas import SCHEMAS, load_schema
from graytrace.tables import MAX_TABLE_BYTES, columns, format_table, read_rows, sidecar, write_table

TABLES = ["atrophy", "volumes", "structures", "lesions", "quality", "scans", "trajectory", "slopes"]


@pytest.fixture
def row():
    return {
        "participant_id": "sub-01",
        "status": "ok",
        "visit_baseline": "BL",
        "visit_followup": "M24",
        "engines": "change=embedded",
        "version": "1",
    }


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_a_unit_and_a_description_and_numbers_have_decimals(name):
    schema = load_schema(name)
    assert schema["additionalProperties"] is False
    for column, field in schema["properties"].items():
        assert field["description"].endswith("."), column
        assert field["unit"], column
        digits = field.keys() & {"decimals", "significant"}
        assert len(digits) == ("number" in field["type"]), column


def test_every_key_of_the_configuration_has_a_unit_and_a_description():
    schema = json.loads((SCHEMAS / "config.schema.json").read_text())
    for section in schema["properties"].values():
        assert section["additionalProperties"] is False
        assert all(field["description"] and field["unit"] for field in section["properties"].values())


@pytest.mark.parametrize("name", TABLES)
def test_quantities_carry_their_unit_in_the_name(name):
    endings = {
        "ml": "_ml",
        "percent": "_percent",
        "percent/year": "_per_year",
        "mm": "_mm",
        "day": "_days",
        "year": "_years",
    }
    for column, field in load_schema(name)["properties"].items():
        assert column.endswith(endings.get(field["unit"], "")), column


def test_missing_values_are_written_as_not_available(row):
    header, line = format_table("atrophy", [row]).splitlines()
    cells = dict(zip(header.split("\t"), line.split("\t"), strict=True))
    assert cells["gm_change_percent"] == "n/a"
    assert cells["reason"] == "n/a"


def test_numbers_have_the_decimals_of_their_column_and_no_negative_zero(row):
    line = format_table(
        "atrophy", [{**row, "gm_change_percent": -0.00001, "icv_baseline_ml": 1500.12345}]
    ).splitlines()[1]
    assert "\t0.0000\t" in line
    assert "\t1500.123\t" in line


def test_no_text_breaks_the_table(row):
    text = format_table("atrophy", [{**row, "reason": "bad: a\tb\nc"}])
    assert len(text.splitlines()) == 2
    assert "bad: a b c" in text


def test_a_row_that_departs_from_the_schema_is_refused(row):
    with pytest.raises(PipelineError, match=r"Row 1 of atrophy\.tsv"):
        format_table("atrophy", [{**row, "gm_change": 1.0}])


def test_an_unknown_status_is_refused(row):
    with pytest.raises(PipelineError, match="'good' is not one of"):
        format_table("atrophy", [{**row, "status": "good"}])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_a_number_never_reaches_a_table(row, value):
    with pytest.raises(PipelineError, match="gm_change_percent"):
        format_table("atrophy", [{**row, "gm_change_percent": value}])


def test_the_sidecar_describes_every_column(tmp_path, row):
    write_table(tmp_path, "atrophy", [row])
    described = json.loads((tmp_path / "atrophy.json").read_text())
    assert list(described) == columns("atrophy") == (tmp_path / "atrophy.tsv").read_text().splitlines()[0].split("\t")
    assert described["gm_volume_baseline_ml"]["Units"] == "ml"
    assert set(sidecar("atrophy")["status"]["Levels"]) == {"ok", "flagged", "excluded", "missing", "failed"}


def test_a_table_is_read_as_text_with_or_without_a_byte_order_mark(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_bytes("\ufeffparticipant_id\tage\r\nsub-01 \t007\r\nsub-NA\tn/a\r\n\r\n".encode())
    rows = read_rows(path, required=["participant_id"])
    assert [row.cells for row in rows] == [
        {"participant_id": "sub-01", "age": "007"},
        {"participant_id": "sub-NA", "age": "n/a"},
    ]
    assert rows[1].get("age") is None
    assert rows[1].get("sex") is None
    assert [row.line for row in rows] == [2, 3]


def test_quotes_of_a_spreadsheet_are_taken_off_and_a_lone_one_swallows_nothing(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text('a\tb\n"x ""y"""\t"\n1\t2\n')
    assert [row.cells for row in read_rows(path, required=["a"])] == [{"a": 'x "y"', "b": '"'}, {"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "has no column a"),
        (b"a\ta\n1\t2\n", "more than one column a"),
        (b"a\tb\n1\t2\t3\n", "line 2: 3 cells, expected 2"),
        (b"a\n\xff\n", "cannot be read"),
    ],
)
def test_a_table_that_is_none_is_named_with_its_fault(tmp_path, content, message):
    path = tmp_path / "t.tsv"
    path.write_bytes(content)
    with pytest.raises(ScanTableError, match=message) as caught:
        read_rows(path, required=["a"])
    assert str(path) in str(caught.value)


def test_a_huge_table_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "t.tsv"
    with path.open("wb") as file:
        file.truncate(MAX_TABLE_BYTES + 1)
    with pytest.raises(ScanTableError, match="bytes large"):
        read_rows(path, required=["a"])


def test_a_table_in_another_encoding_says_what_to_do(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_bytes("participant_id\tsite\nsub-01\tK\xf6ln\n".encode("latin-1"))
    with pytest.raises(ScanTableError, match=r"is not in UTF-8 \(byte 0xf6 at 28\)\. Save it again"):
        read_rows(path, required=["participant_id"])
