"""What makes the output folder a BIDS derivative: who made it, what its images are, and what BIDS has no term for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from graytrace.files import write_json, write_text
from graytrace.schemas import load_schema

BIDS_VERSION = "1.10.0"
LABELS = "index\tname\n0\tBackground\n1\tGray Matter\n2\tWhite Matter\n3\tCerebrospinal Fluid\n"
# BIDS has no term yet for tables over participants and visits, for a space half-way between visits and for pictures
IGNORED = (
    *(
        f"{table}.{ending}"
        for table in ("atrophy", "volumes", "structures", "quality", "lesions", "scans", "dose_response", "trend")
        for ending in ("tsv", "json")
    ),
    "run.json",
    "report.html",
    "review.tsv",
    "review.json",
    "audit.jsonl",
    "audit.head.json",
    "plan.lock.json*",
    "plan.departures.json",
    "blinding.key",
    "blinded",
    "methods.md",
    "records",
    "logs",
    "benchmarks",
    "gallery",
    "pages",
    "sub-*/change",
    "sub-*/figures",
)
# one sidecar for all files of a kind: BIDS' inheritance principle
SIDECARS: Mapping[str, Mapping[str, Any]] = {
    "desc-preproc_T1w": {"SkullStripped": False, "Description": "The scan, corrected for intensity non-uniformity."},
    "desc-lesionfilled_T1w": {
        "SkullStripped": False,
        "Description": "The scan, corrected for intensity non-uniformity, white-matter lesions filled with "
        "normal-looking white matter.",
    },
    "desc-brain_mask": {
        "Type": "Brain",
        "Description": "Gray and white matter and ventricles, closed over sulci.",
    },
    "desc-intracranial_mask": {"Type": "ROI", "Description": "The brain and the CSF around it."},
    "label-GM_probseg": {"Description": "Share of gray matter in each voxel, 0 to 1."},
    "label-lesion_desc-found_mask": {"Type": "Lesion", "Description": "White-matter lesions as found on FLAIR."},
    "label-lesion_desc-given_mask": {
        "Type": "Lesion",
        "Description": "White-matter lesions as the study's mask has them.",
    },
    "label-lesion_desc-filled_mask": {
        "Type": "Lesion",
        "Description": "White-matter lesions that were filled: of this visit and of those that it is compared with.",
    },
    "label-WM_probseg": {"Description": "Share of white matter in each voxel, 0 to 1."},
    "label-CSF_probseg": {"Description": "Share of cerebrospinal fluid in each voxel, 0 to 1."},
    "label-SCGM_probseg": {"Description": "Share of deep (subcortical) gray matter in each voxel, 0 to 1."},
    "dseg": {
        "Description": "The largest of gray matter, white matter and CSF in each voxel, dseg.tsv names the numbers; "
        "with seg-structures the structure that has most of it, by numbers of FreeSurfer, which "
        "seg-structures_dseg.tsv names."
    },
}
_README = """\
Change of gray matter between two MRI visits of each patient, made by Graytrace {version}.

Open report.html first. atrophy.tsv has a row for every planned patient; the .json file beside each table says what
its columns mean. methods.md describes what was done; run.json has versions and the configuration.
"""


def write_derivative(folder: Path, version: str, *, more_tables: Iterable[str] = ()) -> None:
    """Write the files that every BIDS derivative has at its top, when its images are there.

    Parameters
    ----------
    folder : Path
        The output folder.
    version : str
        Of Graytrace.
    more_tables : iterable of str
        Names of tables that only this study has, without ``.tsv``.
    """
    ignored = [*IGNORED, *(f"{table}.{ending}" for table in more_tables for ending in ("tsv", "json"))]
    write_json(folder / "dataset_description.json", describe_dataset(version))
    write_text(folder / "README", _README.format(version=version))
    write_text(folder / ".bidsignore", "\n".join(ignored) + "\n")
    write_text(folder / "dseg.tsv", LABELS)
    write_text(folder / "seg-structures_dseg.tsv", list_structures())
    for name, content in SIDECARS.items():
        # a sidecar of no file is an error to validators
        if any(folder.glob(f"sub-*/ses-*/anat/*_{name}.nii.gz")):
            write_json(folder / f"{name}.json", content)
        else:
            (folder / f"{name}.json").unlink(missing_ok=True)


def list_structures() -> str:
    """Content of seg-structures_dseg.tsv: number, name and side of each structure."""
    lines = ["index\tname\themisphere", "0\tBackground\tn/a"]
    for name, numbers in load_schema("structures")["properties"]["structure"]["numbers"].items():
        sides = ("L", "R") if numbers[0] != numbers[1] else ("n/a",)
        lines += [f"{number}\t{name}\t{side}" for number, side in zip(numbers, sides, strict=False)]
    return "\n".join(lines) + "\n"


def describe_dataset(version: str) -> dict[str, Any]:
    """Content of dataset_description.json."""
    return {
        "Name": "Graytrace: gray-matter change between two visits",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "Graytrace", "Version": version}],
    }
