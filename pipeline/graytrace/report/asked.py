"""Where the trial's outcome stands: a column of atrophy.tsv at each follow-up, or of slopes.tsv through all visits."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from graytrace.results.trial import MEASURED, label_slopes
from graytrace.study.schedule import is_slope

Row = Mapping[str, str]


class AskedRows:
    """The part of a study's tables that the trial asks about; `graytrace.report.content.Study` has the tables."""

    atrophy: Sequence[Row]
    slopes: Sequence[Row]
    run: Mapping[str, Any]

    @property
    def outcome(self) -> str:
        """Column that the trial asks about."""
        return str(self.run["config"]["statistics"]["outcome"])

    @property
    def has_several_followups(self) -> bool:
        """Whether a patient may have more than one row."""
        return len({row["visit_followup"] for row in self.atrophy}) > 1

    @property
    def asks_slopes(self) -> bool:
        """Whether the trial asks about slopes through all visits."""
        return is_slope(self.outcome)

    @functools.cached_property
    def asked(self) -> Sequence[Row]:
        """Rows that have the outcome: of slopes.tsv, one for each patient, or of atrophy.tsv."""
        study = self.run["config"]["study"]
        return (
            label_slopes(self.slopes, study.get("rebaseline") or study["baseline"])
            if self.asks_slopes
            else self.atrophy
        )

    @property
    def answered(self) -> list[Row]:
        """Those with a result."""
        return [row for row in self.asked if row["status"] in MEASURED]

    @functools.cached_property
    def _slope_of(self) -> Mapping[str, Row]:
        return {row["participant_id"]: row for row in self.asked}

    def find_asked(self, row: Row) -> Row:
        """The row that has the outcome of a row of atrophy.tsv: this one, or its patient's slope."""
        return self._slope_of.get(row["participant_id"], {}) if self.asks_slopes else row

    @property
    def asks_several(self) -> bool:
        """Whether the question is asked of more than one follow-up."""
        return self.has_several_followups and not self.asks_slopes
