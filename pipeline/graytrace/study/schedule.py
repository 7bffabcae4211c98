"""The visits of a study: their labels, when each is expected, and which one the others are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graytrace.errors import ConfigError

Window = tuple[float, float]


def is_slope(outcome: str) -> bool:
    """Whether a column is a slope through all visits, of slopes.tsv."""
    return "_slope_" in outcome


def check_outcome(study: Mapping[str, Any], outcome: str) -> None:
    """Refuse a slope as the trial's outcome where no slopes are made.

    Raises
    ------
    ConfigError
        With the key to set.
    """
    if is_slope(outcome) and study.get("visits", "baseline") != "all":
        raise ConfigError(
            f"statistics.outcome: {outcome} is a slope through all visits. Set study.visits: all, or ask a column of "
            "atrophy.tsv."
        )


def read_schedule(study: Mapping[str, Any]) -> dict[str, Any]:
    """Visits and windows of a configuration, from the visit on that others are compared with.

    Parameters
    ----------
    study : mapping
        Section ``study``, checked against its schema.

    Returns
    -------
    dict
        What `graytrace.study.config.Config` calls `baseline`, `followups` and `windows`; with `study.rebaseline` also
        `rebaseline`, `earlier` and `written`.

    Raises
    ------
    ConfigError
        A visit stands twice, a window is none, or the visit to start again from is none with another behind it.
    """
    baseline, followups = _visits(study)
    windows = _windows(study["window_months"], followups)
    label = (study.get("rebaseline") or "").removeprefix("ses-")
    if not label or label == baseline:
        return {"baseline": baseline, "followups": followups, "windows": windows}
    if label not in followups[:-1]:
        what = "is the last follow-up: nothing comes after it" if label in followups else "is no follow-up"
        raise ConfigError(
            f"study.rebaseline: {label!r} {what}. Expected one of study.followup with another behind it, in the order "
            f"of time (there: {', '.join(followups)})."
        )
    place = followups.index(label)
    return {
        "baseline": label,
        "followups": followups[place + 1 :],
        "windows": windows[place + 1 :],
        "rebaseline": label,
        "earlier": (baseline, *followups[:place]),
        "written": {key: study[key] for key in ("baseline", "followup", "window_months")},
    }


def _visits(study: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Labels of the baseline and of the follow-ups."""
    several = study["followup"] if isinstance(study["followup"], list) else [study["followup"]]
    baseline, *followups = (label.removeprefix("ses-") for label in (study["baseline"], *several))
    if baseline in followups:
        raise ConfigError(f"study.baseline and study.followup are both {baseline!r}: two different visits are needed.")
    if len(set(followups)) < len(followups):
        raise ConfigError(f"study.followup names a visit twice: {', '.join(followups)}.")
    return baseline, tuple(followups)


def _windows(value: Sequence[Any] | None, followups: Sequence[str]) -> tuple[Window | None, ...]:
    """The window of each follow-up: one for all, or one for each in their order."""
    if value is None:
        return (None,) * len(followups)
    each = [value] * len(followups) if all(isinstance(item, int | float) for item in value) else list(value)
    if len(each) != len(followups):
        raise ConfigError(
            f"study.window_months: expected [least, most] or such a pair for each of the {len(followups)} follow-ups "
            f"({', '.join(followups)}), got {value!r}."
        )
    windows: list[Window | None] = []
    for window in each:
        if window is None:
            windows.append(None)
        elif isinstance(window, Sequence) and len(window) == 2 and 0 <= window[0] < window[1]:
            windows.append((float(window[0]), float(window[1])))
        else:
            raise ConfigError(f"study.window_months: expected [least, most] in months, got {window!r}.")
    return tuple(windows)
