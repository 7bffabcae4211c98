"""The step itself, from atrophy.tsv to its two tables."""

import csv
import json

import numpy as np

from graytrace.cli import main
from graytrace.files import file_sha256
from graytrace.study.config import load_config


def test_the_step_writes_both_tables_with_sidecars_and_digests(content, bids):
    doses = np.repeat([1.0, 2, 4], 3)
    changes = -1 + 0.1 * doses + np.random.default_rng(1).normal(0, 0.1, 9)
    names = [f"sub-{number:02}" for number in range(9)]
    cells = "".join(f"{who}\t{dose:g}\n" for who, dose in zip(names, doses, strict=True))
    (bids.root / "participants.tsv").write_text(f"participant_id\tdose\n{cells}")
    config = load_config(content)
    config.output_dir.mkdir()
    (config.output_dir / "records").mkdir()
    atrophy = config.output_dir / "atrophy.tsv"
    columns = ["participant_id", "status", "visit_followup", "interval_years", "gm_change_se_points", config.outcome]
    rows = [
        "\t".join([who, "ok", "M24", "2.0", "0.2", f"{change:.4f}"]) for who, change in zip(names, changes, strict=True)
    ]
    atrophy.write_text("\n".join(["\t".join(columns), *rows]) + "\n")

    assert not main(["dose_response", "--config", config.as_json(), "--atrophy", str(atrophy)])

    digests = json.loads((config.output_dir / "records" / "tables.json").read_text())["tables"]
    for name in ("dose_response", "trend"):
        path = config.output_dir / f"{name}.tsv"
        with path.open(newline="") as lines:
            found = list(csv.DictReader(lines, delimiter="\t"))
        assert found[0]["predictor"] == "dose"
        assert set(found[0]) == set(json.loads(path.with_suffix(".json").read_text()))
        assert digests[path.name] == file_sha256(path)
    assert found[0]["item"] == "spearman"
    assert 0 < float(found[0]["p"]) <= 1
