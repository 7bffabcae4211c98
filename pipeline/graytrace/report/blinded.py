"""The folder for blinded readers: a card for each patient with a code, visits in random order, nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from PIL import Image

from graytrace.errors import PipelineError
from graytrace.files import write_text
from graytrace.report.figures import COLUMNS, PANEL_PIXELS
from graytrace.results.review import VERDICTS, list_readable
from graytrace.schemas import load_schema
from graytrace.study.blinding import BLINDED_NAME, make_codes, order_visits

_TEMPLATES = Path(__file__).parent / "templates"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SAME_SECOND = 946_684_800  # 2000-01-01: when a file was written could tell which visit is the first


@dataclass(frozen=True)
class BlindedCard:
    """A patient as a reader sees them.

    Parameters
    ----------
    code : str
    borders, midway : sequence of (str, str)
        Letter and file of each picture.
    """

    code: str
    borders: Sequence[tuple[str, str]]
    midway: Sequence[tuple[str, str]]


def code_patients(quality: Sequence[Mapping[str, str]], folder: Path, key: bytes) -> dict[str, str]:
    """Code of each patient who has a card.

    Parameters
    ----------
    quality : sequence of mapping
        Rows of quality.tsv.
    folder : Path
        The results' folder.
    key : bytes

    Raises
    ------
    PipelineError
        There are more visits than letters.
    """
    shown = {}
    for name, visits in list_readable(quality).items():
        if len(visits) > len(_LETTERS):
            raise PipelineError(f"{name} has {len(visits)} visits; a blinded card has room for {len(_LETTERS)}.")
        if all(_borders(folder, name, visit).is_file() for visit in visits):
            shown[name] = visits
    codes = make_codes(key, [row["participant_id"] for row in quality])
    return {name: codes[name] for name in shown}


def write_blinded(quality: Sequence[Mapping[str, str]], folder: Path, key: bytes) -> list[BlindedCard]:
    """Write the folder ``blinded`` anew: index.html and pictures called after code and letter.

    Files are written in the order of the codes, all with one date, and pictures are encoded anew without metadata, so
    that names, order, dates and digests tell nothing of patients and visits.

    Parameters
    ----------
    quality : sequence of mapping
        Rows of quality.tsv.
    folder : Path
        The results' folder.
    key : bytes

    Returns
    -------
    list of BlindedCard
        By code.
    """
    target = folder / BLINDED_NAME
    shutil.rmtree(target, ignore_errors=True)
    pictures = target / "pictures"
    pictures.mkdir(parents=True)
    measured = {(row["participant_id"], row["visit"]) for row in quality if row["status"] in {"ok", "flagged"}}
    codes = code_patients(quality, folder, key)
    readable = list_readable(quality)
    cards = []
    for name, code in sorted(codes.items(), key=lambda pair: pair[1]):
        visits = order_visits(key, name, readable[name])
        borders = [_borders(folder, name, visit) for visit in visits]
        # of three visits or more the first one would be in several spaces, and be known by that
        midway = _midway(folder, name, readable[name], visits, measured) if len(visits) == 2 else []
        cards.append(
            BlindedCard(
                code,
                [_copy(path, pictures, f"{code}_{_LETTERS[place]}.jpg") for place, path in enumerate(borders)],
                [_copy(path, pictures, f"{code}_{_LETTERS[place]}_aligned.jpg") for place, path in enumerate(midway)],
            )
        )
    write_text(target / "index.html", _render("blinded.html.j2", cards=cards))
    for path in (*sorted(target.rglob("*")), target):
        os.utime(path, (_SAME_SECOND, _SAME_SECOND))
    return cards


def render_cover(*, cards: int, counts: Sequence[tuple[str, int]], extra: Mapping[str, object], version: str) -> str:
    """The page that stands for the report while a study is blinded: nothing about any patient.

    Parameters
    ----------
    cards : int
        Patients whom readers can judge.
    counts : sequence of (str, int)
        How many rows have each status.
    extra : mapping
        What is said of plan and review, as `graytrace.report.oversight` makes it.
    version : str
        Of Graytrace.
    """
    return _render("cover.html.j2", count=cards, counts=counts, version=version, **extra)


def _render(template: str, **context: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    levels: Mapping[str, str] = load_schema("review")["properties"]["verdict"]["levels"]
    common = {
        "verdicts": [(verdict, levels[verdict]) for verdict in VERDICTS],
        "picture_width": COLUMNS * PANEL_PIXELS,
        "panel": PANEL_PIXELS,
        "folder": BLINDED_NAME,
    }
    return environment.get_template(template).render(common | context)


def _borders(folder: Path, name: str, visit: str) -> Path:
    return folder / name / "figures" / f"{name}_ses-{visit}_desc-borders_T1w.jpg"


def _midway(
    folder: Path, name: str, planned: Sequence[str], shown: Sequence[str], measured: set[tuple[str, str]]
) -> list[Path]:
    """Pictures of both visits in midway space, in the reader's order; none where their pair was not measured."""
    if (name, "_".join(planned)) not in measured:
        return []
    roles = dict(zip(planned, ("baseline", "followup"), strict=True))
    stem = folder / name / "figures" / f"{name}_ses-{planned[1]}_space-midway_desc-"
    found = [Path(f"{stem}{roles[visit]}_T1w.jpg") for visit in shown]
    return found if all(path.is_file() for path in found) else []


def _copy(source: Path, pictures: Path, name: str) -> tuple[str, str]:
    """A picture under its blinded name; its letter, and where the page finds it."""
    with Image.open(source) as picture:
        picture.save(pictures / name, format="JPEG", quality="keep", subsampling="keep", exif=b"", comment=b"")
    return name.split("_")[1].removesuffix(".jpg"), f"pictures/{name}"
