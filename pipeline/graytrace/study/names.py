"""What the names of files say: BIDS entities, contrast agent, lesion masks, and names that are nearly right."""

from __future__ import annotations

import re
from collections.abc import Sequence

Entities = tuple[tuple[str, str], ...]
SCAN_ENDINGS = (".nii.gz", ".nii")
# what a tool wrote into anat/ by mistake is no scan
_DERIVED_ENTITIES = frozenset({"desc", "space", "label", "res", "den"})
# what tells visits and repetitions apart, not how a scan was taken
_NOT_PROTOCOL = frozenset({"sub", "ses", "run", "ce"})
_WITHOUT_AGENT = re.compile(r"none|no|non.*|pre.*|without.*|native|unenhanced|false|0|n", re.IGNORECASE)
_AGENT_IN_NAME = re.compile(r"post(?!op|surg|treat|proc)|gado|gad|gd|contrast|enhanced|^t?1?ce$|^t1c$", re.IGNORECASE)
_NO_AGENT_IN_NAME = re.compile(r"pre|^no|non|without|unenhanced", re.IGNORECASE)
_MASK_WORDS = r"(?:l|lesions?|wmh|[wm]s?lesions?|wmlesions?|mslesions?|t2lesions?)"
_LESION_MASK = re.compile(
    rf"_(?:(?:label|desc)-{_MASK_WORDS}(?:_[a-z]+-[a-z0-9+]+)*_(?:mask|roi|dseg|probseg)"
    rf"|{_MASK_WORDS}[-_]?(?:mask|roi)|wmh)",
    re.IGNORECASE,
)
# an image, or what a scanner or another tool makes of one
_IMAGE_ENDINGS = (
    ".nii",
    ".nii.gz",
    ".nii.bz2",
    ".nii.zst",
    ".mgz",
    ".mgh",
    ".img",
    ".hdr",
    ".mnc",
    ".nrrd",
    ".dcm",
    ".zip",
)
_T1_WORDS = re.compile(r"t1|uni|mprage|mp2rage|spgr|bravo|tfe|3dgre", re.IGNORECASE)
_NAMED = 4


def split_name(name: str, ending: str) -> Entities | None:
    """Entities of a name like ``sub-01_ses-BL_T1w.json``, None for a name with another ending."""
    if name != ending and not name.endswith(f"_{ending}"):
        return None
    parts = name.removesuffix(ending).split("_")[:-1]
    return tuple((key, value) for key, _, value in (part.partition("-") for part in parts))


def split_scan_name(name: str, suffix: str) -> Entities:
    """Entities of an image's name, none for what is no such image."""
    return next((found for end in SCAN_ENDINGS if (found := split_name(name, f"{suffix}{end}")) is not None), ())


def is_of_visit(entities: Entities, participant_id: str, label: str) -> bool:
    """Whether a name is of this participant and visit, and no tool's output."""
    known = dict(entities)
    is_here = f"sub-{known.get('sub')}" == participant_id and known.get("ses") == label
    return is_here and not _DERIVED_ENTITIES & known.keys()


def find_agent(entities: Entities, told: str | None) -> str | None:
    """Contrast agent as a scan's name has it (``ce-``, else words of ``acq-`` and ``rec-``) or a sidecar has told.

    Examples
    --------
    >>> find_agent((("ce", "none"),), None), find_agent((("acq", "post"),), None), find_agent((("acq", "pre"),), None)
    (None, 'post', None)
    """
    known = dict(entities)
    if "ce" in known:
        return None if _WITHOUT_AGENT.fullmatch(known["ce"]) else known["ce"]
    for value in (known.get("acq", ""), known.get("rec", "")):
        if _AGENT_IN_NAME.search(value) and not _NO_AGENT_IN_NAME.search(value):
            return value
    return None if told is None or _WITHOUT_AGENT.fullmatch(told.strip()) else told


def keep_protocol(entities: Entities) -> Entities:
    """The part of a name that says how a scan was taken: alike between repetitions and between visits."""
    return tuple(sorted(pair for pair in entities if pair[0] not in _NOT_PROTOCOL))


def compare_names(baseline: Entities, followup: Entities) -> list[str]:
    """In what two names differ that says how a scan was taken, in words.

    Examples
    --------
    >>> compare_names((("sub", "01"), ("rec", "DIS2D")), (("sub", "01"), ("rec", "DIS3D"), ("run", "2")))
    ['rec DIS2D, then DIS3D']
    """
    before, after = dict(keep_protocol(baseline)), dict(keep_protocol(followup))
    keys = [key for key in sorted(before | after) if before.get(key) != after.get(key)]
    return [f"{key} {before.get(key, 'none')}, then {after.get(key, 'none')}" for key in keys]


def is_lesion_mask(name: str) -> bool:
    """Whether a name is of a lesion mask, in one of the spellings that BIDS has had.

    Examples
    --------
    >>> [is_lesion_mask(f"sub-01_ses-BL_{end}.nii.gz") for end in ("label-lesion_mask", "T1w_label-lesion_roi", "T1w")]
    [True, True, False]
    """
    ending = next((end for end in SCAN_ENDINGS if name.endswith(end)), None)
    return ending is not None and _LESION_MASK.search(name.removesuffix(ending)) is not None


def rank_lesion_mask(name: str) -> tuple[bool, str]:
    """Order in which lesion masks of a visit are taken: those on the T1w's grid by their name first."""
    space = dict(part.partition("-")[::2] for part in name.split("_")).get("space", "T1w")
    return space.lower() not in {"t1w", "orig", "native", "individual"}, name


def describe_near_misses(names: Sequence[str], wanted: str, *, place: str | None = None) -> str:
    """What lies where a scan was looked for, and how the nearest would have to be called; empty for nothing.

    Parameters
    ----------
    names : sequence of str
        Names of files and folders there.
    wanted : str
        The name without its ending, for example ``sub-01_ses-BL_T1w``.
    place : str, optional
        The folder in which it would have to be, where they lie outside of it.

    Examples
    --------
    >>> describe_near_misses(["sub-01_ses-BL_T1w.nii.gz"], "sub-01_ses-BL_T1w", place="anat")
    ' There lies sub-01_ses-BL_T1w.nii.gz, outside of anat: put it there.'
    >>> describe_near_misses(["sub-01_ses-BL_T1w.nii.gz/"], "sub-01_ses-BL_T1w")
    ' sub-01_ses-BL_T1w.nii.gz is a folder: expected a file.'
    """
    if folder := next((name for name in names if name.startswith(wanted) and name.endswith("/")), None):
        return f" {folder.removesuffix('/')} is a folder: expected a file."
    images = [name for name in names if name.lower().endswith(_IMAGE_ENDINGS) or "T1" in name]
    images = [name for name in images if not name.endswith((".json", ".tsv"))]
    if not images:
        return _only(names)
    near = sorted(images, key=lambda name: (_T1_WORDS.search(name.rpartition("_")[2]) is None, name))
    ending = next((end for end in SCAN_ENDINGS if near[0].endswith(end)), None)
    if place and near[0] == f"{wanted}{ending}":
        return f" There lies {_some(near)}, outside of {place}: put it there."
    target = f"{place}/" if place else ""
    hint = f"rename it to {target}{wanted}{ending}" if ending else f"convert it to {target}{wanted}.nii.gz"
    return f" There lies {_some(near)}. If {near[0]} is the T1w scan, {hint}."


def describe_near_folder(names: Sequence[str], wanted: str) -> str:
    """The folder that is nearly called as wanted, and what to do; empty for none."""
    near = [name for name in names if _plain(name) == _plain(wanted)]
    if near:
        return f" There is {near[0]}: rename it to {wanted}."
    return _only(sorted(names))


def _only(names: Sequence[str]) -> str:
    """What lies there although nothing of it was looked for; empty for nothing."""
    if not names:
        return ""
    return f" There is only {names[0]}." if len(names) == 1 else f" There are only: {_some(names)}."


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("ses").removeprefix("sub")).lstrip("0")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
