import sys

import pytest
import yaml

from graytrace.cli import main
from graytrace.commands import run
from graytrace.study.config import load_config, merge_configs, read_config
from graytrace.workflow.project import DEFAULTS, PROJECT


@pytest.fixture
def launched(monkeypatch):
    """The commands that would take this process's place."""
    commands = []
    monkeypatch.setattr(run.os, "execv", lambda _, command: commands.append(command))
    return commands


@pytest.fixture
def bids(tmp_path):
    (tmp_path / "bids").mkdir()
    return tmp_path / "bids"


def option(command, name):
    return command[command.index(name) + 1]


def test_snakemake_is_started_with_the_shipped_snakefile(launched, bids, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "bids", "out", "participant", "--cores", "3"]) == 0
    (command,) = launched
    assert command[:3] == [sys.executable, "-m", "snakemake"]
    assert option(command, "--snakefile") == str(PROJECT / "Snakefile")
    assert option(command, "--cores") == "3"
    assert option(command, "--directory") == str(tmp_path / "out")
    chosen = yaml.safe_load(option(command, "--config").removeprefix("study="))
    assert chosen == {"bids_dir": str(bids), "output_dir": str(tmp_path / "out")}


def test_a_blinded_run_says_so_to_snakemake_in_a_way_that_it_keeps(launched, bids, tmp_path):
    assert main(["run", str(bids), str(tmp_path / "out"), "participant", "--blind"]) == 0
    given = option(launched[0], "--config").removeprefix("study=")
    kept = yaml.load(given, Loader=yaml.BaseLoader)  # noqa: S506 - Snakemake reads sections so: every value is text
    content = merge_configs(read_config(DEFAULTS), {"study": kept})
    assert load_config(content).blind


def test_what_stands_after_dashes_goes_to_snakemake(launched, bids, tmp_path):
    assert main(["run", str(bids), str(tmp_path / "out"), "participant", "--", "--dry-run", "--quiet"]) == 0
    assert launched[0][-2:] == ["--dry-run", "--quiet"]


def test_a_profile_is_found_by_its_name(launched, bids, tmp_path):
    assert main(["run", str(bids), str(tmp_path / "out"), "participant", "--profile", "slurm"]) == 0
    assert option(launched[0], "--profile") == str(PROJECT / "profiles" / "slurm")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none", "out", "participant"], "there is no folder"),
        (["bids", "bids", "participant"], "study.output_dir is the data set itself"),
        (["bids", "out", "participant", "--config", "none.yaml"], "--config: there is no file none.yaml"),
        (["bids", "out", "participant", "--config", "wrong.yaml"], "segmentaton"),
    ],
)
def test_a_wrong_call_is_one_message(arguments, words, launched, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.yaml").write_text("engines: {segmentaton: fsl}\n")
    assert main(["run", *arguments]) == 1
    message = capsys.readouterr().err
    assert message.startswith("run: ")
    assert words in message
    assert launched == []


def test_the_level_of_the_analysis_is_that_of_patients(bids, capsys):
    with pytest.raises(SystemExit):
        main(["run", str(bids), "out", "group"])
    assert "participant" in capsys.readouterr().err
