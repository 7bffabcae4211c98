import pytest
import yaml

from graytrace.errors import ConfigError
from graytrace.study.config import load_config
from graytrace.tables import write_table

ENGINES = "skull_strip=embedded; segmentation=embedded; change=embedded"
ROW = {
    "measure": "gm_change_percent",
    "kind": "pairs",
    "patients": 20,
    "pairs": 20,
    "intervals": 0,
    "sdc_points": 0.49,
    "selection": "visits at most 14 days apart",
    "engines": ENGINES,
    "version": "1.2.3",
}


@pytest.fixture
def table(tmp_path):
    def write(*rows):
        write_table(tmp_path, "repeatability", rows)
        return tmp_path / "repeatability.tsv"

    return write


@pytest.fixture
def named(content, tmp_path):
    """The configuration of a study that names the table relative to its own file."""
    (tmp_path / "bids").mkdir()

    def load(name="repeatability.tsv"):
        file = tmp_path / "my.yaml"
        file.write_text(yaml.safe_dump({"quality": {"repeatability": name}}))
        return load_config({**content, "quality": {**content["quality"], "repeatability": name}}, [file])

    return load


def test_the_path_is_relative_to_the_file_that_names_it(named, table):
    path = table(ROW)
    assert named().quality["repeatability"] == str(path)


def test_the_checked_configuration_can_be_read_again(named, table):
    table(ROW)
    config = named()
    assert load_config(config.as_dict()).quality == config.quality


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**ROW, "kind": "loops"}], "has no sdc_points of gm_change_percent from pairs: at least three pairs"),
        ([{**ROW, "sdc_points": None}], "has no sdc_points of gm_change_percent"),
        ([{**ROW, "measure": "brain_change_percent"}], "has no sdc_points of gm_change_percent"),
        ([{**ROW, "sdc_points": 0.0}], "column sdc_points has 0, expected more than 0."),
        ([{**ROW, "engines": ENGINES.replace("change=embedded", "change=fsl")}], "was measured with"),
    ],
)
def test_a_table_that_cannot_serve_is_one_sentence(named, table, rows, message):
    table(*rows)
    with pytest.raises(ConfigError, match=r"^quality\.repeatability: ") as error:
        named()
    assert message in str(error.value)


def test_a_missing_file_is_told_with_the_command_that_makes_it(named):
    with pytest.raises(ConfigError, match=r"there is no file .*nowhere\.tsv\. Make it with graytrace repeatability"):
        named("nowhere.tsv")


def test_another_table_is_refused_by_its_columns(named, tmp_path):
    (tmp_path / "other.tsv").write_text("participant_id\tdose\nsub-01\t3\n")
    with pytest.raises(ConfigError, match=r"quality.repeatability: .*other.tsv .*measure"):
        named("other.tsv")


def test_no_table_is_no_fault(content, tmp_path):
    (tmp_path / "bids").mkdir()
    assert load_config(content).quality.get("repeatability") is None
