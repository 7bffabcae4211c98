from types import SimpleNamespace

import pytest
from snakemake.settings.types import MaxJobsPerTimespan, SchedulingSettings

from graytrace.workflow.opening import lift_start_limit


@pytest.mark.parametrize(("asked", "stays"), [("100/1s", False), ("5/1m", True), ("100/1m", True)])
def test_only_the_default_limit_of_job_starts_is_lifted(asked, stays):
    limiter = object()
    settings = SchedulingSettings(max_jobs_per_timespan=MaxJobsPerTimespan.parse_choice(asked))
    workflow = SimpleNamespace(scheduling_settings=settings, scheduler=SimpleNamespace(job_rate_limiter=limiter))
    lift_start_limit(workflow)
    assert workflow.scheduler.job_rate_limiter is (limiter if stays else None)
