from types import SimpleNamespace

import pytest
from snakemake.settings.types import MaxJobsPerTimespan, SchedulingSettings

from pipeline.workflow import lift_start_limit


@pytest.mark.parametrize(("asked", "stays"), [("100/1s", False), ("5/1m", True), ("100/1m", True)])
def test_only_the_default_limit_of_job_starts_is_lifted(asked, stays):
    limit = MaxJobsPerTimespan.parse_choice(asked)
    workflow = SimpleNamespace(scheduling_settings=SchedulingSettings(max_jobs_per_timespan=limit))
    lift_start_limit(workflow)
    assert workflow.scheduling_settings.max_jobs_per_timespan is (limit if stays else None)


def test_nothing_is_lifted_where_nothing_is_scheduled():
    workflow = SimpleNamespace(scheduling_settings=None)
    lift_start_limit(workflow)
    assert workflow.scheduling_settings is None
