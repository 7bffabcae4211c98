"""The shipped atlas on tissues that are its own, and what happens when it is damaged or a scan holds nothing."""

import nibabel as nib
import numpy as np
import pytest

from graytrace.algorithms.structure_atlas import LABELS, TISSUES
from graytrace.engines.embedded.structures import ATLAS, load_atlas
from graytrace.engines.registry import TASKS, engine_of
from graytrace.engines.runner import run_task
from graytrace.errors import ImageError, ToolError
from graytrace.images.reading import read_volume

_LARGEST_MB = 2.0
_NAMES = {"deep": "subcortical_gm", "cortex": "gm", "white": "wm", "fluid": "csf"}


def _write(folder, maps, affine):
    paths = {}
    for name, data in maps.items():
        paths[f"{name}_fraction"] = folder / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(np.clip(data, 0, 1).astype(np.float32), affine), paths[f"{name}_fraction"])
    return paths


def _run(paths, folder):
    folder.mkdir()
    return run_task(TASKS["structures"], engine_of("structures", "embedded"), paths, cwd=folder, threads=1)


def test_a_head_like_the_atlas_has_its_structures_where_the_atlas_has_them(tmp_path):
    atlas = load_atlas()
    probability = atlas.probability[:, ::2, ::2, ::2]
    affine = atlas.grid_to_mm @ np.diag([2.0, 2, 2, 1])
    affine[:3, 3] += [4, -10, 7]
    tissue = {
        t: sum(p for p, label in zip(probability, LABELS, strict=True) if label.structure.tissue == t) for t in TISSUES
    }
    maps = {_NAMES[t]: f for t, f in tissue.items()}
    maps["gm"] = maps["gm"] + maps["subcortical_gm"]
    result = _run(_write(tmp_path, maps, affine), tmp_path / "job")
    found = read_volume(result.images["labels"]).data
    likeliest = np.array([label.index for label in LABELS])[probability.argmax(0)]
    sure = probability.max(0) > 0.8
    assert np.mean(found[sure] == likeliest[sure]) > 0.97
    volumes = result.measures["structure_volumes_ml"]
    assert volumes["Thalamus_left"] == pytest.approx(volumes["Thalamus_right"], rel=0.02), "the atlas is even"
    whole = sum(
        volumes[name] for name in volumes if name.endswith("_both") and name.startswith(("Thal", "Caud", "Put"))
    )
    assert 15 < whole < 60, "ml, of an adult"


def test_empty_tissues_are_about_the_data(tmp_path):
    nothing = dict.fromkeys(("gm", "wm", "csf", "subcortical_gm"), np.zeros((12, 12, 12)))
    with pytest.raises(ImageError, match="no tissue"):
        _run(_write(tmp_path, nothing, np.diag([4.0, 4, 4, 1])), tmp_path / "job")


def test_an_atlas_that_is_gone_or_damaged_is_an_error_of_the_machinery(tmp_path):
    with pytest.raises(ToolError, match="install Graytrace again"):
        load_atlas(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"no atlas")
    with pytest.raises(ToolError, match="install Graytrace again"):
        load_atlas(tmp_path / "bad.npz")
    (tmp_path / "bad.npz").write_bytes(ATLAS.read_bytes()[:1000])
    with pytest.raises(ToolError, match="install Graytrace again"):
        load_atlas(tmp_path / "bad.npz")
    np.savez_compressed(tmp_path / "other.npz", half=np.zeros((3, 2, 2, 2), np.uint8))
    with pytest.raises(ToolError, match="expected 16 planes"):
        load_atlas(tmp_path / "other.npz")


def test_the_atlas_is_part_of_the_package():
    assert ATLAS.parents[2].name == "engines"
    assert ATLAS.stat().st_size < _LARGEST_MB * 1e6
