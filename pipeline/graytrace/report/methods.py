"""The methods of a paper, written from what was really run."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from graytrace.records import Record
from graytrace.report.budget import judge_size, name_largest, read_budget
from graytrace.report.content import Study, half_interval, is_widened, number
from graytrace.report.trend import TESTS
from graytrace.statistics.association import RESAMPLES
from graytrace.tables import MISSING

_JOINED = (
    " What is lesion at either visit of a patient was filled at both. Lesions at least 3 mm long [lesions] were called "
    "new or vanished where one visit has nothing of them, enlarging or shrinking where their volumes differ by a "
    "factor of 1.5 and their radii by 0.5 mm."
)
_DATA = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Methods:
    """Paragraphs with numbered references, and the references in their order."""

    paragraphs: Sequence[str]
    references: Sequence[str]

    def as_markdown(self) -> str:
        """The text of methods.md."""
        listed = [f"{place}. {text}" for place, text in enumerate(self.references, start=1)]
        return "\n\n".join(["# Methods", *self.paragraphs, "## References", "\n".join(listed)]) + "\n"


def write_methods(study: Study, records: Iterable[Record]) -> Methods:
    """Methods of a run.

    Parameters
    ----------
    study : Study
    records : iterable of Record
        Of all steps: they know which tools in which versions really ran.
    """
    done = [record for record in records if record.status == "ok"]
    config = study.run["config"]
    engines: Mapping[str, str] = config["engines"]
    paragraphs = [_processing(study, engines, done), _people(study), _quality(study)]
    if study.slopes:
        paragraphs.append(_trajectories(study))
    if study.dose_response:
        paragraphs.append(_statistics(study))
    return _number_references(paragraphs)


def _processing(study: Study, engines: Mapping[str, str], done: Sequence[Record]) -> str:
    packages = study.run["packages"]
    stage = {name: _stage(name, engines[name]) for name in ("skull_strip", "segmentation", "change")}
    found = [record for record in done if record.step == "find_lesions" and "lesion_volume_ml" in record.measures]
    lesions = len(found)
    on_flair = sum(flag.code == "lesions_from_flair" for record in found for flag in record.flags)
    joined = any(record.step == "join_lesions" and record.outputs for record in done)
    options = _options(study.run["config"])
    filled = (
        f" White-matter lesions of {lesions} scans were filled with the intensities of the white matter around them"
        f" ({on_flair} of them without a lesion mask: their lesions were found on FLAIR)."
        f"{_JOINED if joined else ''}"
        if lesions
        else " Neither lesion masks nor FLAIR scans were given, so lesions were not filled."
    )
    return (
        f"T1-weighted scans, arranged in BIDS [bids], were processed with Graytrace {study.run['version']} "
        "[graytrace], "
        f"a workflow of Snakemake {packages.get('snakemake', '')} [snakemake] and Nipype {packages.get('nipype', '')} "
        f"[nipype]. {stage['skull_strip']} Intensity bias was removed with N4 [n4].{filled} "
        f"{stage['segmentation']}{_structures(done)} "
        f"Both visits went through the same steps. {stage['change']}{_standard_error(study)}{options} "
        f"Versions: {_versions(done)}."
    )


def _structures(done: Sequence[Record]) -> str:
    """A sentence where structures were found."""
    if not any(record.step == "label_structures" and record.outputs for record in done):
        return ""
    return (
        " Subcortical structures and ventricles were labeled by an atlas of six heads, registered on the tissue "
        "fractions by a diffeomorphism [dartel]."
    )


def _stage(name: str, engine: str) -> str:
    known: str | None = _data()["stages"][name].get(engine)
    return known or f"{name.replace('_', ' ').capitalize()} was done with {engine}."


def _standard_error(study: Study) -> str:
    """A sentence where the engine of change tells its error."""
    errors = [value for row in study.measured if (value := number(row, "gm_change_se_points")) is not None]
    if not errors:
        return ""
    return (
        " The standard error of a patient's change, from an error budget measured on its own two scans, was "
        f"{min(errors):.2f} to {max(errors):.2f} percentage points.{_largest_part(study)}{_own_scanner(study)}"
        f"{_undetected(study)}"
    )


def _largest_part(study: Study) -> str:
    """A sentence on what limits most patients' numbers, where the engine tells its budget."""
    measured = [(row["participant_id"], row["visit_baseline"], row["visit_followup"]) for row in study.measured]
    budgets = [budget for key in measured if (budget := read_budget(study.changes.get(key, {}), "gm_change"))]
    if not budgets:
        return ""
    (largest, count), *_ = Counter(name_largest(budget) for budget in budgets).most_common(1)
    return f" The largest of its parts was most often {largest} ({count} of {len(budgets)})."


def _undetected(study: Study) -> str:
    """How many changes of gray matter were no larger than what can be detected."""
    column = "gm_change_percent"
    rows = [row for row in study.measured if half_interval(row, column) is not None]
    smallest = study.smallest_changes.get(column)
    small = sum(bool(judge_size(number(row, column), half_interval(row, column), smallest)) for row in rows)
    within = (
        "zero was within the 95 % interval of the change"
        if smallest is None
        else f"the change was within the smallest detectable one ({smallest:.2f} points) or its interval held zero"
    )
    return f" In {small} of {len(rows)} {within}."


def _own_scanner(study: Study) -> str:
    """A sentence where scan-rescan pairs of the study's own scanner set the least width of an interval."""
    if study.run["config"]["quality"].get("repeatability") is None:
        return ""
    widened = sum(is_widened(row, "gm_change_percent") for row in study.measured)
    return (
        " No 95 % interval was taken to be narrower than the smallest detectable change that scan-rescan pairs on the "
        f"study's own scanner showed (repeatability as defined in [raunig]); that widened {widened} of "
        f"{len(study.measured)}."
    )


def _options(config: Mapping[str, Any]) -> str:
    """A sentence on the options of the engines that ran, where they have some."""
    sections = dict.fromkeys("freesurfer" if name == "samseg" else name for name in config["engines"].values())
    words = [
        f"{section} {key.replace('_', ' ')} {value}"
        for section in sections
        for key, value in (config.get(section) or {}).items()
        if value is not None and not key.startswith("time_limit")
    ]
    return f" Options: {', '.join(words)}." if words else ""


@functools.cache
def _data() -> Mapping[str, Any]:
    """Sentences on the engines, and the references."""
    found: Mapping[str, Any] = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    return found


def _versions(done: Sequence[Record]) -> str:
    """Tools with the versions that the records name; two versions of one tool are both told."""
    found: dict[str, set[str]] = {}
    for record in done:
        for tool, version in record.provenance.get("tool_versions", {}).items():
            found.setdefault(tool, set()).add(version)
    return ", ".join(f"{tool} {' and '.join(sorted(versions))}" for tool, versions in sorted(found.items()))


def _people(study: Study) -> str:
    counts = Counter(row["status"] for row in study.atrophy)
    reasons = Counter(
        row["reason"].partition(":")[0] for row in study.atrophy if row["status"] in {"failed", "missing", "excluded"}
    )
    why = ", ".join(f"{word} ({count})" for word, count in sorted(reasons.items()))
    left_out = sum(reasons.values())
    years = [value for row in study.measured if (value := number(row, "interval_years")) is not None]
    interval = (
        f" The interval between the visits was {min(years):.2f} to {max(years):.2f} years."
        if years
        else " Dates of visits are not known."
    )
    unit = "pairs of visits" if study.has_several_followups else "patients"
    return (
        f"Of {len(study.atrophy)} planned {unit}, {len(study.measured)} were measured; {counts['flagged']} of them "
        "carry "
        "a flag and stay in all analyses." + (f" {left_out} were not measured: {why}." if left_out else "") + interval
    )


def _quality(study: Study) -> str:
    z = study.run["config"]["quality"]["outlier_z"]
    unusual = f" or lay {z:g} robust standard deviations on the bad side of the study's median" if z else ""
    return (
        "Quality of scans and pairs was described by noise, contrast to noise, joint variation, sharpness, entropy "
        "focus and ghosting "
        "(definitions as in or after [mriqc]), similarity after alignment, distance at the skull and change of "
        "contrast; "
        f"a value was flagged when it passed a fixed limit{unusual}."
    )


def _trajectories(study: Study) -> str:
    """A paragraph on the model of all visits."""
    rows = [row for row in study.slopes if number(row, "gm_slope_percent_per_year") is not None]
    visits = [int(row["visits"]) for row in rows]
    again = study.run["config"]["study"].get("rebaseline")
    start = f" Slopes count from {again}, so that early effects of treatment are left out." if again else ""
    found = f" {len(rows)} patients had a slope, of {min(visits)} to {max(visits)} visits." if rows else ""
    return (
        "With more than two visits, each visit was compared with the reference and with the visit before it, and the "
        "logarithms of all ratios of volume of a patient were joined by generalized least squares with the pairs' own "
        "errors, pairs that share a visit being correlated as in a network of treatments [rucker]. Whether pairs that "
        "close loops agree, and whether visits lie on a line, was tested by chi-square; standard errors were "
        f"multiplied by Birge's ratio [birge] where they did not suffice.{start}{found}"
    )


def _statistics(study: Study) -> str:
    main = [row for row in study.dose_response if row["analysis"] == "everyone"]
    names = ", ".join(dict.fromkeys(row["predictor"] for row in main))
    holm = f" p-values were corrected for {len(main)} questions by Holm's method [holm]." if len(main) > 1 else ""
    adjusted = _adjustment(study)
    return (
        f"The relation of {study.outcome} with {names} was described by Spearman's and Pearson's correlation with "
        "two-sided permutation "
        f"tests (all orders where there are at most {RESAMPLES}, else {RESAMPLES} random ones with a fixed seed) and "
        "bias-corrected and accelerated bootstrap intervals, and by Theil and Sen's slope [theilsen], computed with "
        "SciPy "
        f"{study.run['packages'].get('scipy', '')} [scipy].{_trend(study)}{holm}{adjusted}"
    )


def _trend(study: Study) -> str:
    """A sentence on the test that answers and on those beside it."""
    tests = [row for row in study.trend if row["analysis"] == "test" and row["p"] != MISSING]
    if not tests:
        return ""
    asked = study.run["config"]["statistics"]
    shapes = ", ".join(name.replace("_", "-") for name in asked.get("shapes", []))
    within = f" within strata of {' and '.join(asked['strata'])}" if asked.get("strata") else ""
    exact = "all arrangements of patients over doses were listed (exact tests)"
    drawn = "random arrangements of patients over doses were drawn"
    is_exact = all("exact p" in row["note"] for row in tests)
    return (
        f" The primary test was {TESTS[asked.get('primary_test', 'spearman')]}. A maximum-contrast test over shapes "
        f"({shapes}; the first step of MCP-Mod [mcpmod], with the permutation distribution of the largest contrast), "
        f"Jonckheere and Terpstra's test [jonckheere] and Spearman's correlation shared one permutation scheme: "
        f"{exact if is_exact else drawn}{within}."
    )


def _adjustment(study: Study) -> str:
    """A sentence on the adjusted analysis: what was planned and could not be computed is told as that."""
    rows = [row for row in study.dose_response if row["analysis"] == "adjusted"]
    if not rows:
        return ""
    covariates = ", ".join(study.run["config"]["statistics"]["covariates"])
    if all(row["pearson_p"] == MISSING for row in rows):
        return f" An analysis with {covariates} held fixed was planned; the patients were too few for it."
    return (
        f" A second analysis held {covariates} fixed by least squares, with a permutation test after Freedman and Lane."
    )


def _number_references(paragraphs: Sequence[str]) -> Methods:
    """Numbers in the place of keys, in the order in which they are first named."""
    references: Mapping[str, str] = _data()["references"]
    joined = "\n".join(paragraphs)
    order = sorted((key for key in references if f"[{key}]" in joined), key=lambda key: joined.find(f"[{key}]"))
    places = {f"[{key}]": f"[{place}]" for place, key in enumerate(order, start=1)}
    texts = [re.sub(r"\[\w+\]", lambda found: places.get(found[0], found[0]), text) for text in paragraphs]
    return Methods(texts, [references[key] for key in order])


def list_versions(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Versions for the page."""
    return [("Graytrace", run["version"]), ("Python", run["python"]), *sorted(run["packages"].items())]
