"""Names that a shell would act on reach it quoted, and nothing leaves the folder of results."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

NASTY = (
    "with space.nii.gz",
    "semi;touch pwned;.nii.gz",
    "$(touch pwned).nii.gz",
    "`touch pwned`.nii.gz",
    "quote'\"end.nii.gz",
    "{wildcards.participant}.nii.gz",
    "-rf.nii.gz",
    "Übung 脳.nii.gz",
)


@pytest.fixture
def table(tmp_path):
    """A plain table of scans whose files have names of ill will, all but tabs and line breaks, which end a cell."""
    folder = tmp_path / "it's $(touch pwned) & more"
    folder.mkdir()
    grid = np.indices((20, 22, 24)) - np.array([10, 11, 12])[:, None, None, None]
    image = nib.Nifti1Image(np.where((grid**2).sum(0) < 81, 700, 20).astype(np.int16), np.diag([8.0, 8, 8, 1]))
    lines = ["participant_id\tvisit\tt1w"]
    for number, name in enumerate(NASTY):
        nib.save(image, folder / name)
        lines.append(f"{number}\tBL\t{name}")
    (folder / "scans.tsv").write_text("\n".join(lines) + "\n")
    return folder / "scans.tsv"


def test_no_name_reaches_a_shell_unquoted(start, table, tmp_path):
    out = tmp_path / "out 'put' $(touch pwned); x"
    process, messages = start("names", {"study": {"scans": str(table)}}, out, "--until", "inspect", "scan_table")
    assert process.wait() == 0, messages.read_text()
    records = list(out.glob("records/*/ses-BL/inspect.json"))
    assert len(records) == len(NASTY) - 1, messages.read_text()
    assert "invalid_name" in next(line for line in (out / "scans.tsv").read_text().splitlines() if "wildcards" in line)
    assert all('"status": "ok"' in record.read_text() for record in records)
    assert list(tmp_path.rglob("pwned*")) == []
    assert not Path("pwned").exists()
