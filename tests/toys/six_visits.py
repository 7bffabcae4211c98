"""A trial with visits at 0, 3, 6, 12, 18 and 24 months, on records made by hand: nothing is measured."""

from datetime import date, timedelta

import numpy as np

from graytrace.findings import Reason
from graytrace.records import Record, record_path, write_record
from graytrace.results.collection import collect_results
from graytrace.results.trajectory import TISSUES, fit_patients
from graytrace.study.config import load_config
from graytrace.study.plan import plan_study
from graytrace.tables import format_table

MONTHS = {"BL": 0, "M3": 3, "M6": 6, "M12": 12, "M18": 18, "M24": 24}
DAYS = {visit: round(month * 365.25 / 12) for visit, month in MONTHS.items()}
START = date(2019, 3, 4)
SE_POINTS = 0.3
VOLUMES = {
    "gm_volume_ml": 600.0,
    "wm_volume_ml": 500.0,
    "csf_volume_ml": 300.0,
    "brain_volume_ml": 1100.0,
    "icv_ml": 1400.0,
}
ENGINES = {"skull_strip": "embedded", "change": "embedded"}


class Trial:
    """A study that joins all visits; volumes follow a line in their logarithm, plus what a test adds."""

    def __init__(self, content, bids):
        self.content = content
        self.bids = bids
        self.rng = np.random.default_rng(4)

    def patient(self, name, *visits, undated=()):
        for visit in visits or MONTHS:
            self.bids.scan(name, visit)
        dates = {visit: str(START + timedelta(DAYS[visit])) for visit in visits or MONTHS if visit not in undated}
        self.bids.dates(name, **dates)

    def plan(self):
        return plan_study(load_config(self.content))

    def path(self, participant, step, visits):
        return record_path(load_config(self.content).output_dir, participant, visits, step)

    def write(self, participant, step, visits, **known):
        write_record(
            self.path(participant, step, visits), Record(step, participant, visits, **{"status": "ok", **known})
        )

    def finish(self, slopes, *, shared=0.0, own=0.0, extra=None, with_errors=True):
        """Records of everything that is planned: `slopes` per year, errors of scans and of pairs in points."""
        plan, extra = self.plan(), extra or {}
        for name, slope in slopes.items():
            course = {
                visit: slope * days / 365.25 + extra.get(visit, 0.0) / 100 + shared / 100 * self.rng.standard_normal()
                for visit, days in DAYS.items()
            }
            for scan in plan.patient(name).scans:
                if scan.is_measured:
                    self._finish_scan(name, scan.visit)
            for pair in plan.every_pair:
                if pair.participant_id == name and pair.is_measured:
                    step = course[pair.followup.visit] - course[pair.baseline.visit]
                    step += own / 100 * self.rng.standard_normal()
                    self.finish_pair(name, pair.baseline.visit, pair.followup.visit, step, with_errors=with_errors)

    def _finish_scan(self, name, visit):
        for step in ("inspect", "skull_strip", "correct_bias", "segment_tissue", "label_structures"):
            self.write(name, step, {"visit": visit})
        self.write(name, "gray_matter_volume", {"visit": visit}, measures=VOLUMES)
        self.write(name, "check_scan", {"visit": visit}, measures={"noise_percent": 3.0})

    def finish_pair(self, name, baseline, followup, step, *, with_errors=True, flags=()):
        visits = {"baseline": baseline, "followup": followup}
        change = 100 * np.expm1(step)
        measures = {f"{tissue}_change_percent": change for tissue in TISSUES}
        if with_errors:
            measures |= {f"{tissue}_change_se_points": SE_POINTS for tissue in TISSUES}
        self.write(name, "align_visits", visits, measures={"scale_percent": 0.1})
        self.write(name, "measure_change", visits, measures=measures, flags=flags)
        self.write(name, "check_pair", visits, measures={"skull_residual_mm": 0.2})

    def fail_scan(self, name, visit):
        reason = Reason("truncated", "The file ends too early.")
        self.write(name, "gray_matter_volume", {"visit": visit}, status="failed", reason=reason)

    def fit(self):
        config = load_config(self.content)
        plan = plan_study(config)
        results = collect_results(plan, ENGINES, "1.2.3", quality=config.quality)
        trajectories, slopes = fit_patients(config, plan, results.pairs, results.volumes)
        format_table("trajectory", trajectories)
        format_table("slopes", slopes)
        return (
            {(row["participant_id"], row["visit"]): row for row in trajectories},
            {row["participant_id"]: row for row in slopes},
            results,
        )
