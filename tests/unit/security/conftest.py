import pytest
import yaml

from graytrace.schemas import SCHEMAS


@pytest.fixture
def content(tmp_path):
    """A complete configuration, as Snakemake merges it."""
    (tmp_path / "bids").mkdir()
    merged = yaml.safe_load((SCHEMAS.parents[2] / "config.yaml").read_text(encoding="utf-8"))
    merged["study"].update(bids_dir=str(tmp_path / "bids"), output_dir=str(tmp_path / "out"))
    return merged
