"""How many places a newcomer has to touch: a copy of the project is changed in the places that a page of docs names.

Each test makes the change in those places, three or fewer, and nowhere else, and asks the copy whether the new thing is
where it belongs: in the command line, the tables, the plan, the configuration, the pages.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
COPIED = ("Snakefile", "config.yaml", "pipeline", "profiles", "docs", "containers")
MOST_PLACES = 3


class Copy:
    """A copy of the project that remembers which of its files were changed by hand."""

    def __init__(self, root):
        self.root = root
        self.touched = set()
        for name in COPIED:
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.onnx", "*.png"))
            else:
                shutil.copyfile(source, root / name)

    def edit(self, path, before, after):
        text = (self.root / path).read_text()
        assert text.count(before) == 1, f"{path}: {before!r} {text.count(before)} times"
        (self.root / path).write_text(text.replace(before, after))
        self.touched.add(path)

    def add(self, path, text):
        assert not (self.root / path).exists()
        (self.root / path).write_text(text)
        self.touched.add(path)

    def add_field(self, table, column, field):
        path = f"pipeline/graytrace/schemas/{table}.schema.json"
        schema = json.loads((self.root / path).read_text())
        schema["properties"][column] = field
        (self.root / path).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
        self.touched.add(path)

    def run(self, *arguments):
        environment = {**os.environ, "PYTHONPATH": str(self.root / "pipeline")}
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(  # noqa: S603 - our own code
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ask(self, expression, *imports):
        """The value of an expression in the copy."""
        return json.loads(self.run("-c", "\n".join(["import json", *imports, f"print(json.dumps({expression}))"])))

    def generate(self):
        self.run("docs/generate.py")

    def text(self, path):
        return (self.root / path).read_text()


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path / "copy")


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    (tmp_path / "copy").mkdir()


def named_places(page):
    """The places that a page names; <tool> and <name> and * stand for anything."""
    line = re.search(r"^Places: (.*)$", (PROJECT / "docs" / page).read_text(), flags=re.MULTILINE)
    return [
        re.compile(re.sub(r"<\w+>|\\\*", "[^/]+", re.escape(place).replace(r"\<", "<").replace(r"\>", ">")))
        for place in re.findall(r"`([^`]+)`", line[1])
    ]


def assert_places(copy, page):
    places = named_places(page)
    assert len(places) <= MOST_PLACES
    assert len(copy.touched) <= len(places)
    assert [path for path in copy.touched if not any(place.fullmatch(path) for place in places)] == []


def test_a_column(copy):
    field = {"description": "Change of the corpus callosum.", "unit": "percent", "from": "pair", "decimals": 4}
    copy.add_field("atrophy", "corpus_callosum_change_percent", {**field, "type": ["number", "null"]})
    copy.edit(
        "pipeline/graytrace/engines/embedded/change.py",
        '    numbers["residual_percent"] =',
        '    numbers["corpus_callosum_change_percent"] = -1.5\n    numbers["residual_percent"] =',
    )
    assert_places(copy, "adding-a-column.md")
    cells = copy.ask(
        "_from_measures('atrophy', pair={'corpus_callosum_change_percent': -1.5}, baseline={}, followup={})",
        "from graytrace.results.collection import _from_measures",
    )
    assert cells["corpus_callosum_change_percent"] == -1.5
    assert copy.ask("sidecar('atrophy')", "from graytrace.tables import sidecar")["corpus_callosum_change_percent"][
        "Units"
    ]
    copy.generate()
    assert "corpus_callosum_change_percent" in copy.text("docs/columns.md")
    assert "corpus_callosum_change_percent" in copy.text("docs/outputs.md")


def test_a_metric(copy):
    field = {
        "description": "Darkness of the air.", "unit": "percent", "decimals": 2, "label": "darkness",
        "better": "higher",
        "relevant": 1, "formula": "one", "good": "higher", "type": ["number", "null"],
    }  # fmt: skip
    copy.add_field("quality", "darkness_percent", field)
    copy.edit(
        "pipeline/graytrace/algorithms/quality.py",
        '    "noise_percent": measure_noise_percent,',
        '    "darkness_percent": lambda tissues: 50.0,\n    "noise_percent": measure_noise_percent,',
    )
    copy.edit("config.yaml", "    noise_percent:  ", "    darkness_percent: {min: 60}\n    noise_percent:  ")
    assert_places(copy, "adding-a-metric.md")
    assert "darkness_percent" in copy.ask(
        "list(TISSUE_METRICS)", "from graytrace.algorithms.quality import TISSUE_METRICS"
    )
    row = {"participant_id": "sub-1", "visit": "BL", "kind": "scan", "status": "ok", "darkness_percent": 50.0}
    flags = copy.ask(
        f"[flag.code for flags in find_flags([{row!r}], quality).values() for flag in flags]",
        "from graytrace.results.limits import find_flags",
        "from graytrace.study.config import load_config, read_config",
        "from graytrace.workflow.project import DEFAULTS",
        "quality = load_config(read_config(DEFAULTS)).quality",
    )
    assert flags == ["darkness_percent_low"]
    copy.generate()
    for page in ("columns", "quality", "parameters"):
        assert "darkness_percent" in copy.text(f"docs/{page}.md")


def test_an_engine_of_a_suite_that_is_there(copy):
    copy.add("pipeline/graytrace/engines/fsl/siena2.py", "from graytrace.engines.fsl.siena import SienaChange\n")
    copy.edit(
        "pipeline/graytrace/engines/registry.py",
        '            "difference": Engine(',
        '            "siena2": Engine("graytrace.engines.fsl.siena2:SienaChange", "fsl", ("siena",), _TIME),\n'
        '            "difference": Engine(',
    )
    copy.edit(
        "pipeline/graytrace/report/methods.yaml",
        "    fsl: Change of the whole brain",
        "    siena2: Change was measured with another SIENA [siena].\n    fsl: Change of the whole brain",
    )
    assert_places(copy, "adding-an-engine.md")
    code, other = copy.ask(
        "[code_of_steps(load_config({**content, 'engines': {**content['engines'], 'change': name}}))['measure_change']"
        " for name in ('siena2', 'fsl')]",
        "from graytrace.study.config import load_config, read_config",
        "from graytrace.workflow.freshness import code_of_steps",
        "from graytrace.workflow.project import DEFAULTS",
        "content = read_config(DEFAULTS)",
    )
    assert code != other
    copy.generate()
    assert "`siena2`" in copy.text("docs/parameters.md")


RULE = """

rule count_voxels:
    input:
        skull_strip=OUT / "records" / SCAN / "skull_strip.json",
    output:
        record=OUT / "records" / SCAN / "count_voxels.json",
    log:
        OUT / "logs" / SCAN / "count_voxels.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "count_voxels.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 500 * attempt,
    params:
        code=CODE["count_voxels"],
    shell:
        command_line("count_voxels")
"""
MODULE = '''"""Count voxels."""

from graytrace.steps.arguments import add_step_arguments, upstream_of
from graytrace.steps.job import job_of
from graytrace.steps.record import Outcome, perform


def add_arguments(parser):
    """Arguments of this step."""
    add_step_arguments(parser, "count_voxels")


def run(args):
    """Count."""
    work = lambda upstream, folder: Outcome(measures={"voxels": 1})
    perform(job_of("count_voxels", args), work, upstream=upstream_of("count_voxels", args), outputs={})
'''


def test_a_step(copy, tmp_path):
    copy.edit(
        "pipeline/graytrace/catalog.py",
        '    Step(\n        "align_visits",',
        '    Step("count_voxels", "count voxels of the brain", "scan", reads=("skull_strip",)),\n'
        '    Step(\n        "align_visits",',
    )
    copy.add("pipeline/graytrace/steps/count_voxels.py", MODULE)
    rules = copy.text("pipeline/rules/tissue.smk")
    copy.edit("pipeline/rules/tissue.smk", rules, rules.rstrip("\n") + "\n" + RULE)
    assert_places(copy, "adding-a-step.md")
    assert "count voxels of the brain" in copy.run("-m", "graytrace", "--help")
    anat = tmp_path / "bids" / "sub-1" / "ses-BL" / "anat"
    anat.mkdir(parents=True)
    (anat / "sub-1_ses-BL_T1w.nii.gz").touch()
    plan = copy.run(
        "-m", "snakemake", "--cores", "1", "--dry-run", "--printshellcmds", "--directory", tmp_path,
        "--config", f"study={{bids_dir: {tmp_path / 'bids'}, output_dir: {tmp_path / 'out'}}}",
    )  # fmt: skip
    assert f"--skull-strip {tmp_path}/out/records/sub-1/ses-BL/skull_strip.json" in plan
    assert "python -m graytrace count_voxels --participant 1 --visit BL" in plan
    copy.generate()
    for page in ("profiles/slurm/profile.yaml", "profiles/slurm-arrays/profile.yaml", "docs/design.md"):
        assert "count_voxels" in copy.text(page)
