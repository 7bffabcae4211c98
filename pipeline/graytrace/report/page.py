"""The report page: what people open first. One file for a small study; a large one's pictures stay beside it."""

from __future__ import annotations

import base64
import shutil
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup, escape

from graytrace.report import answer, content, metrics, phrases, plots, trajectories, trend
from graytrace.report.content import Card, Study, number
from graytrace.report.figures import COLUMNS, MAP_LIMIT_PERCENT, PANEL_PIXELS
from graytrace.report.methods import Methods, list_versions
from graytrace.schemas import load_schema
from graytrace.statistics.association import Estimate
from graytrace.tables import MISSING

EMBEDDED_BYTES = 14_300_000  # of pictures, which grow by a third on the page: below 20 MB with all the rest
SMALL_STUDY = 30
_TEMPLATES = Path(__file__).parent / "templates"
_ANALYSES = {"everyone": "everyone", "without_flagged": "without flagged patients", "adjusted": "adjusted"}
_STATUS_WORDS = (
    "ok: measured; flagged: measured, but look at it; failed: a scan or pair could not be measured; "
    "missing: a scan is not there; excluded: left out by the study."
)


@dataclass(frozen=True)
class Picture:
    """A picture of a patient, and where the page finds it."""

    name: str
    path: Path
    src: str = Markup()


def render_page(
    study: Study, methods: Methods, *, folder: Path, title: str, predictors: Mapping[str, Mapping[str, float]]
) -> str:
    """The page as HTML.

    Parameters
    ----------
    study : Study
    methods : Methods
    folder : Path
        Where the page is written; pictures lie in sub-*/figures below it.
    title : str
    predictors : mapping
        Name to each patient's number (dose and others).
    """
    cards = content.make_cards(study, predictors)
    measured = measured_images(study)
    pictures = {card.anchor: find_pictures(folder, card.participant_id, card.visits, measured) for card in cards}
    every = [picture for flicker, borders in pictures.values() for picture in (*flicker, *borders)]
    embeds = sum(path.stat().st_size for path in {picture.path for picture in every}) <= EMBEDDED_BYTES
    shown: set[Path] = set()
    for card in cards:
        flicker, borders = pictures[card.anchor]
        card.flicker.extend(_locate(picture, folder, embeds=embeds) for picture in flicker)
        # with several follow-ups a baseline has a picture once
        fresh = [picture for picture in borders if picture.path not in shown]
        shown.update(picture.path for picture in fresh)
        card.borders.extend(_locate(picture, folder, embeds=embeds) for picture in fresh)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: content.typeset(value) if type(value) is str else value,
    )
    return environment.get_template("report.html.j2").render(_context(study, methods, cards, predictors, title))


def _context(
    study: Study,
    methods: Methods,
    cards: Sequence[Card],
    predictors: Mapping[str, Mapping[str, float]],
    title: str,
) -> dict[str, Any]:
    has_errors = any(content.half_interval(row, study.outcome) is not None for row in study.answered)
    descriptions = {name: field["description"] for name, field in load_schema("quality")["properties"].items()}
    points = _points(study)
    errors = _describe_bars(study) if has_errors else ""
    return {
        "title": title,
        "version": study.run["version"],
        "asked": trend.write_question(study),
        "changes": answer.write_changes(study),
        "certainty": answer.write_certainty(study),
        "untreated": answer.write_untreated(predictors.get(str(study.run["config"]["statistics"]["dose_column"]), {})),
        "counts": [
            (status, sum(row["status"] == status for row in study.atrophy)) for status in content.STATUSES[::-1]
        ],
        "status_words": _STATUS_WORDS,
        "questions": [_question(study, rows, predictors) for rows in _by_question(study.dose_response)],
        "has_errors": has_errors,
        "several_followups": study.asks_several,
        "asked_rows": len(study.asked),
        "error_words": f"Each row is a patient; open orange diamonds are flagged. {errors}",
        "forest": plots.as_data_uri(plots.plot_forest(points, outcome=_axis(study))) if points else None,
        "measured": len({row["participant_id"] for row in study.answered}),
        "trajectories": trajectories.show_trajectories(study),
        "look": [card for card in cards if card.status != "ok"],
        "withheld": content.list_withheld(study),
        "cards": cards,
        "is_small": len(cards) <= SMALL_STUDY,
        "overview_columns": content.overview_columns(study, predictors),
        "volumes": _volumes_plot(study),
        "quality_plot": metrics.plot_metrics(study),
        "metrics": metrics.describe_metrics(study, descriptions),
        "methods": methods,
        "oversight": study.oversight,
        "versions": list_versions(study.run),
        "configuration": escape(yaml.safe_dump(study.run["config"], sort_keys=False, allow_unicode=True)),
        "map_limit": f"{MAP_LIMIT_PERCENT:g}",
        "picture_width": COLUMNS * PANEL_PIXELS,
        "panel": PANEL_PIXELS,
    }


def _describe_bars(study: Study) -> str:
    """What the bars of a plot are."""
    widened = sum(content.is_widened(row, study.outcome) for row in study.answered)
    if not widened:
        return "The bar is the 95 % interval from the error of the measurement."
    return (
        "The bar is the 95 % interval from the error of the measurement; "
        f"{widened} of {len(study.answered)} are as wide as the smallest detectable change on the study's own scanner: "
        "the error measured on the pair was smaller."
    )


def find_pictures(
    folder: Path, participant_id: str, visits: tuple[str, str], measured: Collection[tuple[str, str]]
) -> tuple[list[Picture], list[Picture]]:
    """Pictures of a pair: both visits and change in midway space, and borders of each visit.

    Pictures of what was excluded since, or failed, are of another time and are left out.
    """
    figures = folder / participant_id / "figures"
    baseline, followup = visits
    stem = f"{participant_id}_ses-"
    flicker = [
        Picture(name, figures / f"{stem}{followup}_space-midway_desc-{word}_T1w.jpg")
        for name, word in (
            (f"Baseline ({baseline})", "baseline"),
            (f"Follow-up ({followup})", "followup"),
            ("Local change", "change"),
        )
    ]
    borders = [
        Picture(f"{word} ({visit})", figures / f"{stem}{visit}_desc-borders_T1w.jpg")
        for word, visit in (("Baseline", baseline), ("Follow-up", followup))
    ]
    shown = [visit for visit in visits if (participant_id, visit) in measured]
    has_pair = (participant_id, "_".join(visits)) in measured
    return (
        [one for one in flicker if has_pair and one.path.is_file()],
        [one for one, visit in zip(borders, visits, strict=True) if visit in shown and one.path.is_file()],
    )


def write_gallery(study: Study, folder: Path) -> None:
    """Lay pictures out by patient and visit, as Snakemake's own report wants them; links, where the disk can.

    Only patients with both visits: Snakemake makes a toggle of what every patient has.

    Parameters
    ----------
    study : Study
    folder : Path
        With sub-*/figures; gets gallery/midway, gallery/borders and gallery/change.
    """
    measured = measured_images(study)
    gallery = folder / "gallery"
    shutil.rmtree(gallery, ignore_errors=True)
    for kind in ("midway", "borders", "change"):
        (gallery / kind).mkdir(parents=True)
    for row in study.atrophy:
        visits = (row["visit_baseline"], row["visit_followup"])
        flicker, borders = find_pictures(folder, row["participant_id"], visits, measured)
        who = f"{row['participant_id']}-{visits[1]}" if study.has_several_followups else row["participant_id"]
        for kind, pictures in (("midway", flicker[:2]), ("borders", borders)):
            if len(pictures) == len(visits):
                for visit, picture in zip(("baseline", "followup"), pictures, strict=True):
                    _link(picture.path, gallery / kind / f"{who}_{visit}.jpg")
        for picture in flicker[2:]:
            _link(picture.path, gallery / "change" / f"{who}_change.jpg")


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def measured_images(study: Study) -> set[tuple[str, str]]:
    """Scans and pairs whose pictures are of what was measured now."""
    return {(row["participant_id"], row["visit"]) for row in study.quality if row["status"] in {"ok", "flagged"}}


def _locate(picture: Picture, folder: Path, *, embeds: bool) -> Picture:
    if embeds:
        src = "data:image/jpeg;base64," + base64.b64encode(picture.path.read_bytes()).decode()
    else:
        src = picture.path.relative_to(folder).as_posix()
    return Picture(picture.name, picture.path, escape(src))


def _axis(study: Study) -> str:
    """The outcome as the label of an axis."""
    return f"{phrases.outcome_words(study.outcome)} (%)"


def _points(study: Study, values: Mapping[str, float] | None = None, followup: str | None = None) -> list[plots.Point]:
    """Measured patients as points; with `values` their numbers on the x axis."""
    found = []
    for row in study.answered:
        y, name = number(row, study.outcome), row["participant_id"]
        if y is None or (values is not None and name not in values) or followup not in {None, row["visit_followup"]}:
            continue
        label = f"{name} · {row['visit_followup']}" if study.asks_several and followup is None else name
        error = content.half_interval(row, study.outcome)
        found.append(plots.Point(label, values[name] if values else 0.0, y, error, row["status"] == "flagged"))
    return found


def _by_question(rows: Sequence[Mapping[str, str]]) -> list[list[Mapping[str, str]]]:
    """Rows of dose_response.tsv by predictor and follow-up."""
    grouped: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for row in rows:
        grouped.setdefault((row["predictor"], row["visit_followup"]), []).append(row)
    return list(grouped.values())


def _question(
    study: Study, rows: Sequence[Mapping[str, str]], predictors: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    main = rows[0]
    name, followup = main["predictor"], main["visit_followup"]
    where = f" ({followup})" if study.asks_several else ""
    questions = sum(row["analysis"] == "everyone" for row in study.dose_response)
    trends = trend.rows_of(study, name, followup)
    found = answer.write_answer(rows, questions=questions, trends=trends)
    points = _points(study, predictors.get(name, {}), followup)
    plot = None
    if len(points) > 1:
        slope = (
            None
            if main["slope"] == MISSING
            else Estimate(*(float(main[f"slope{end}"]) for end in ("", "_low", "_high")))
        )
        middle = [statistics.median(point.x for point in points), statistics.median(point.y for point in points)]
        intercept = middle[1] - (slope.value * middle[0] if slope else 0.0)
        plot = plots.as_data_uri(
            plots.plot_change_by(points, predictor=name, outcome=_axis(study), slope=slope, intercept=intercept)
        )
    return {
        "followup": followup,
        "is_first": name == study.dose_response[0]["predictor"],
        "title": f"Does the change go with {name}?{where}",
        "answer": found,
        "plot": plot,
        "alt": f"Change of each patient over {name}. {found.text}",
        "rows": [_statistics_row(row) for row in rows] if main["spearman_p"] != MISSING else [],
        "predictor": name,
        "unit": "% per year" if study.outcome.endswith("per_year") else "%",
        **trend.make_tables(trends),
    }


def _statistics_row(row: Mapping[str, str]) -> dict[str, str]:
    def shown(column: str) -> str:
        if row[column] == MISSING:
            return ""
        text = f"{float(row[column]):+.2f}"
        low, high = row.get(f"{column}_low", MISSING), row.get(f"{column}_high", MISSING)
        return text if MISSING in {low, high} else f"{text} ({float(low):+.2f} to {float(high):+.2f})"

    def p(column: str) -> str:
        return "" if row[column] == MISSING else phrases.show_p(float(row[column])).removeprefix("= ")

    return {
        "who": _ANALYSES[row["analysis"]],
        "n": row["n"],
        "spearman": shown("spearman_rho"),
        "spearman_p": p("spearman_p"),
        "spearman_p_holm": p("spearman_p_holm"),
        "pearson": shown("pearson_r"),
        "pearson_p": p("pearson_p"),
        "slope": phrases.show_slope(row),
        "note": row["note"] if row["note"] != MISSING else "",
    }


def _volumes_plot(study: Study) -> str | None:
    """Gray-matter volume of each patient over time, where the interval is known."""
    series: dict[str, tuple[list[float], list[float], bool]] = {}
    for row in study.measured:
        years = number(row, "interval_years")
        before, after = number(row, "gm_volume_baseline_ml"), number(row, "gm_volume_followup_ml")
        if years is None or before is None or after is None:
            continue
        times, volumes, is_flagged = series.get(row["participant_id"], ([0.0], [before], False))
        is_flagged = is_flagged or row["status"] == "flagged"
        series[row["participant_id"]] = ([*times, years], [*volumes, after], is_flagged)
    if not series:
        return None
    return plots.as_data_uri(plots.plot_volumes([(name, *values) for name, values in series.items()]))
