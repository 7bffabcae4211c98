# Graytrace: gray-matter change between two MRI visits of each patient of a BIDS data set.
#     snakemake --cores 2 --configfile my.yaml
# per scan and pair: inspect > skull_strip > correct_bias > align_visits (> lesions) > segment_tissue > measure_change
# per study: scan_table first, then aggregate_atrophy > dose_response > report (with check_scan and check_pair)

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")

# a checkout works without being installed
sys.path.insert(0, str(Path(workflow.basedir) / "pipeline"))

from graytrace.catalog import command_line
from graytrace.workflow.containers import choose_stages, container_image
from graytrace.workflow.freshness import study_digest
from graytrace.workflow import opening
from graytrace.workflow.opening import asked_tables, job_environment, planned_records
from graytrace.workflow.oversight import begin_trail, oversee
from graytrace.workflow.project import find_caption


configfile: Path(workflow.basedir) / "config.yaml"


CONFIG, PLAN, CODE = opening.open_study(config, workflow)
OVERSIGHT = oversee(CONFIG, PLAN, CODE, workflow)
OUT = CONFIG.output_dir
SKULL_STRIP, SEGMENTATION, CHANGE = choose_stages(CONFIG, workflow)
SCAN = "sub-{participant}/ses-{visit}"
PAIR = "sub-{participant}/ses-{baseline}_ses-{followup}"


wildcard_constraints:
    participant="[A-Za-z0-9+]+",
    visit="[A-Za-z0-9+]+",
    baseline="[A-Za-z0-9+]+",
    followup="[A-Za-z0-9+]+",


shell.prefix(job_environment())


container: container_image("embedded")


localrules:
    all,
    scan_table,
    aggregate_atrophy,


rule all:
    default_target: True
    input:
        OUT / "report.html",


include: "pipeline/rules/study.smk"
include: "pipeline/rules/scan.smk"
include: "pipeline/rules/lesions.smk"
include: "pipeline/rules/tissue.smk"
include: "pipeline/rules/change.smk"
include: "pipeline/rules/report.smk"


onstart:
    opening.begin_run(CONFIG, PLAN, workflow)
    begin_trail(CONFIG, PLAN, CODE, OVERSIGHT)


onsuccess:
    opening.end_run(CONFIG, is_blind=OVERSIGHT.is_blind)


onerror:
    opening.end_run(CONFIG, unfinished=True, is_blind=OVERSIGHT.is_blind)
