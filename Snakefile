# Graytrace: gray-matter change between two MRI visits of each patient of a BIDS data set.
#     snakemake --cores 2 --configfile my.yaml
# per scan   inspect > skull_strip > correct_bias (> find_lesions)
# per pair   align_visits (midway) (> join_lesions)
# per scan   (fill_lesions >) segment_tissue > label_structures, gray_matter_volume
# per pair   measure_change
# per study  scan_table first, then aggregate_atrophy > dose_response > report (with check_scan and check_pair)

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.19")

# a checkout works without being installed
sys.path.insert(0, str(Path(workflow.basedir) / "pipeline"))

from graytrace.catalog import command_line
from graytrace.workflow.containers import choose_stages, container_image
from graytrace.workflow.freshness import study_digest
from graytrace.workflow.opening import asked_tables, job_environment, open_study
from graytrace.workflow.opening import begin_run, planned_records, summarize_run
from graytrace.workflow.oversight import begin_trail, oversee
from graytrace.workflow.project import find_caption


configfile: Path(workflow.basedir) / "config.yaml"


CONFIG, PLAN, CODE = open_study(config, workflow)
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
    begin_run(CONFIG, PLAN, workflow)
    begin_trail(CONFIG, PLAN, CODE, OVERSIGHT)


onsuccess:
    print(summarize_run(CONFIG, is_blind=OVERSIGHT.is_blind), file=sys.stderr)


onerror:
    print(
        summarize_run(CONFIG, unfinished=True, is_blind=OVERSIGHT.is_blind),
        file=sys.stderr,
    )
