# The study: who has which scan, and the tables at the end.
# scan_table is first by its priority. As an ancient() input of the first steps it would hide their own reasons to run:
# Snakemake 9.27 does not look at jobs downstream of one that runs, and an ancient input then does not make them run.


rule scan_table:
    output:
        table=OUT / "scans.tsv",
    log:
        OUT / "logs" / "scan_table.log",
    benchmark:
        OUT / "benchmarks" / "scan_table.tsv"
    priority: 100
    threads: 1
    resources:
        mem_mb=500,
    params:
        code=CODE["scan_table"],
        config=CONFIG.as_json(),
        plan=lambda wc: PLAN.digest(),
    shell:
        "exec python -m graytrace scan_table --config {params.config:q} > {log:q} 2>&1"


rule aggregate_atrophy:
    input:
        table=OUT / "scans.tsv",
        records=lambda wc: planned_records(CONFIG, PLAN, CODE, workflow),
        checks=lambda wc: PLAN.records(checks=True),
    output:
        **CONFIG.trajectory_tables,
        atrophy=report(
            OUT / "atrophy.tsv",
            caption=find_caption("atrophy"),
            category="Tables",
            labels={"table": "change of every patient"},
        ),
        volumes=OUT / "volumes.tsv",
        structures=OUT / "structures.tsv",
        lesions=OUT / "lesions.tsv",
        quality=report(
            OUT / "quality.tsv",
            caption=find_caption("quality"),
            category="Tables",
            labels={"table": "quality of every scan and pair"},
        ),
        run=OUT / "run.json",
    log:
        OUT / "logs" / "aggregate_atrophy.log",
    benchmark:
        OUT / "benchmarks" / "aggregate_atrophy.tsv"
    threads: 1
    resources:
        mem_mb=500,
    params:
        code=CODE["aggregate_atrophy"],
        config=CONFIG.as_json(),
        plan=lambda wc: PLAN.digest(),
        made_with=lambda wc: study_digest(CONFIG, PLAN, CODE),
    shell:
        "exec python -m graytrace aggregate_atrophy --config {params.config:q} --made-with {params.made_with}"
        " > {log:q} 2>&1"
