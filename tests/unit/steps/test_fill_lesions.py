import pytest

from graytrace.errors import ImageError, ToolError
from graytrace.steps import fill_lesions


def _find(monkeypatch, tmp_path, error):
    def run_stage(*_args, **_more):
        raise error

    monkeypatch.setattr(fill_lesions, "run_stage", run_stage)
    return fill_lesions._find_lesions({}, tmp_path / "flair.nii.gz", folder=tmp_path, job=None)


@pytest.mark.parametrize("error", [ImageError("truncated", "Too short."), ToolError("Nothing.", about_data=True)])
def test_a_flair_of_no_use_is_a_flag(monkeypatch, tmp_path, error):
    mask, flag, _ = _find(monkeypatch, tmp_path, error)
    assert mask is None
    assert flag.code == "flair_unusable"


def test_a_broken_engine_is_no_flag(monkeypatch, tmp_path):
    with pytest.raises(ToolError, match="weights"):
        _find(monkeypatch, tmp_path, ToolError("The network's weights are not there."))
