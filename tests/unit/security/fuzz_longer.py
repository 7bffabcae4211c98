"""A coverage-guided fuzzer on what reads other people's files; run by hand, for as long as you like.

    python -m venv fuzzing && fuzzing/bin/pip install atheris -r requirements/runtime.txt
    PYTHONPATH=. fuzzing/bin/python tests/unit/security/fuzz_longer.py image -max_total_time=600

The first argument is what to fuzz: image, table, config or sidecar. It stops at the first error that is not ours.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["graytrace", "nibabel"]):
    import numpy as np

    from graytrace.errors import PipelineError
    from graytrace.images.reading import read_scan, read_volume
    from graytrace.study.config import load_config, read_config
    from graytrace.study.exclusions import read_exclusions
    from graytrace.study.protocol import read_sidecar
    from graytrace.study.scan_list import ScanListSource

FOLDER = Path(tempfile.mkdtemp())


def _image(path: Path) -> None:
    for read in (read_scan, read_volume):
        try:
            read(path)
        except PipelineError:
            continue


def _table(path: Path) -> None:
    read_exclusions(path, participants=["sub-01"], baseline="BL", followups=["M24"])
    ScanListSource(path)


def _config(path: Path) -> None:
    load_config(read_config(path), [path])


TARGETS = {
    "image": ("scan.nii", _image, b""),
    "table": ("table.tsv", _table, b"participant_id\tvisit\treason\twho\twhen\tt1w\n"),
    "config": ("my.yaml", _config, b""),
    "sidecar": ("scan.json", lambda path: read_sidecar([path]), b""),
}


def main() -> None:
    """Fuzz one target."""
    name, read, start = TARGETS[sys.argv.pop(1)]
    path = FOLDER / name
    np.seterr(all="ignore")
    os.environ["NIPYPE_NO_ET"] = "1"

    def once(data: bytes) -> None:
        path.write_bytes(start + data)
        with contextlib.suppress(PipelineError):
            read(path)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
