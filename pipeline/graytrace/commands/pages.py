"""``graytrace pages``: a PDF page for each patient, for the clinic."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from graytrace.counting import counted
from graytrace.errors import ConfigError
from graytrace.files import file_sha256, whole_file
from graytrace.report.content import Card, Study, make_cards
from graytrace.report.page import Picture, find_pictures, measured_images
from graytrace.report.patient_page import PagePicture, Visit, render_patient_page
from graytrace.results.finished import Row, read_finished
from graytrace.tables import MISSING, read_participant
from graytrace.workflow.oversight import refuse_blinded

TABLES = ("atrophy", "volumes", "quality")
_SLOPES = "slopes.tsv"
_DIGITS = 16  # of a digest, enough to tell two tables apart


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("results", type=Path, metavar="RESULTS", help="folder of a finished run")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder of the pages (default: RESULTS/pages)")
    parser.add_argument(
        "--participants", nargs="+", metavar="ID", help="only these (default: everybody who is planned)"
    )


def run(args: argparse.Namespace) -> None:
    """Write the pages.

    Raises
    ------
    ConfigError
        A participant is asked for whom the results do not have, or the study is blinded.
    """
    refuse_blinded(args.results)
    finished = read_finished(args.results, TABLES)
    rows = _wanted(finished.tables["atrophy"], args.participants)
    tables = finished.tables
    # of a study of all visits; a table that an earlier run left behind is not in run.json
    slopes = read_finished(args.results, ["slopes"]).tables["slopes"] if _SLOPES in finished.run["tables"] else ()
    study = Study(tables["atrophy"], tables["volumes"], tables["quality"], [], finished.run, slopes=slopes)
    measured = measured_images(study)
    dates = {(row["participant_id"], row["visit"]): row["acq_date"] for row in tables["volumes"]}
    cards = {(card.participant_id, *card.visits): card for card in make_cards(study, {})}
    out: Path = args.output or args.results / "pages"
    digest = file_sha256(args.results / "atrophy.tsv")[:_DIGITS]
    foot = f"Graytrace {finished.run['version']}; atrophy.tsv, SHA-256 {digest}…"
    written = set()
    for row in rows:
        card = cards[row["participant_id"], row["visit_baseline"], row["visit_followup"]]
        visits = tuple(Visit(visit, _date(dates.get((card.participant_id, visit)))) for visit in card.visits)
        flicker, borders = find_pictures(args.results, card.participant_id, card.visits, measured)
        pictures = [PagePicture(_named(one, "borders"), one.path) for one in borders]
        # of the two in midway space the second is enough on paper: nothing flickers there
        midway = [one for one in flicker if not one.name.startswith("Baseline")]
        pictures += [PagePicture(_named(one, "midway space"), one.path) for one in midway]
        page = render_patient_page(card, row, visits=(visits[0], visits[1]), pictures=pictures, foot=foot)
        with whole_file(out / _file_name(card)) as part:
            part.write_bytes(page)
        written.add(_file_name(card))
    older = sorted(path.name for path in out.glob("sub-*_ses-*.pdf") if path.name not in written)
    told = (
        f" Pages of another run lie there, too: {len(older)} ({older[0]} …)." if older and not args.participants else ""
    )
    sys.stdout.write(f"{counted(len(written), 'page')}: {out}.{told}\n")


def _wanted(rows: Sequence[Row], participants: Sequence[str] | None) -> list[Row]:
    if participants is None:
        return list(rows)
    names = [read_participant(name) for name in participants]
    lacking = [name for name in names if name not in {row["participant_id"] for row in rows}]
    if lacking:
        raise ConfigError(f"--participants: the results have nobody called {', '.join(lacking)}.")
    return [row for row in rows if row["participant_id"] in names]


def _file_name(card: Card) -> str:
    return f"{card.anchor}.pdf"


def _date(cell: str | None) -> str:
    return "" if cell in {None, MISSING} else str(cell)


def _named(picture: Picture, what: str) -> str:
    """A picture's name in the page's words."""
    return f"{picture.name}, {what}".replace("Baseline", "First visit").replace("Follow-up", "Second visit")
