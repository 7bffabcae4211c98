# What people look at: quality of scans and pairs with their pictures, the trial's question, the report.
# Nothing here changes a number of atrophy.tsv.


rule check_scan:
    input:
        t1w=lambda wc: PLAN.t1w(wc.participant, wc.visit),
        inspect=OUT / "records" / SCAN / "inspect.json",
        skull_strip=OUT / "records" / SCAN / "skull_strip.json",
        image=lambda wc: PLAN.scan_record(wc.participant, wc.visit, "image"),
        segment_tissue=OUT / "records" / SCAN / "segment_tissue.json",
        gray_matter_volume=OUT / "records" / SCAN / "gray_matter_volume.json",
    output:
        record=OUT / "records" / SCAN / "check_scan.json",
    log:
        OUT / "logs" / SCAN / "check_scan.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "check_scan.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 1000 * attempt,
    params:
        code=CODE["check_scan"],
    shell:
        command_line("check_scan")


rule check_pair:
    input:
        unpack(
            lambda wc: PLAN.pair_records(
                **wc,
                steps=["skull_strip", "image", "gray_matter_volume", "check_scan"],
            )
        ),
        align_visits=OUT / "records" / PAIR / "align_visits.json",
        measure_change=OUT / "records" / PAIR / "measure_change.json",
    output:
        record=OUT / "records" / PAIR / "check_pair.json",
    log:
        OUT / "logs" / PAIR / "check_pair.log",
    benchmark:
        OUT / "benchmarks" / PAIR / "check_pair.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 1000 * attempt,
    params:
        code=CODE["check_pair"],
        naming=lambda wc: PLAN.naming(**wc),
    shell:
        command_line("check_pair")


localrules:
    dose_response,
    report,


rule dose_response:
    input:
        atrophy=OUT / "atrophy.tsv",
        slopes=CONFIG.trajectory_tables.get("slopes", []),
        asked=asked_tables(CONFIG),
    output:
        table=report(
            OUT / "dose_response.tsv",
            caption=find_caption("dose_response"),
            category="Tables",
            labels={"table": "dose response"},
        ),
        trend=OUT / "trend.tsv",
    log:
        OUT / "logs" / "dose_response.log",
    benchmark:
        OUT / "benchmarks" / "dose_response.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=CODE["dose_response"],
        config=CONFIG.as_json(),
        blind=OVERSIGHT.option,
    shell:
        "exec python -m graytrace dose_response --config {params.config:q} --atrophy {input.atrophy:q} {params.blind}"
        " > {log:q} 2>&1"


rule report:
    input:
        **CONFIG.trajectory_tables,
        atrophy=OUT / "atrophy.tsv",
        volumes=OUT / "volumes.tsv",
        quality=OUT / "quality.tsv",
        dose_response=OUT / "dose_response.tsv",
        trend=OUT / "trend.tsv",
        run=OUT / "run.json",
        review=OVERSIGHT.review,
    output:
        page=OUT / "report.html",
        methods=OUT / "methods.md",
        midway=report(
            directory(OUT / "gallery" / "midway"),
            patterns=["{patient}_{visit}.jpg"],
            caption=find_caption("midway"),
            category="Visits in midway space",
            labels={"patient": "{patient}", "visit": "{visit}"},
        ),
        borders=report(
            directory(OUT / "gallery" / "borders"),
            patterns=["{patient}_{visit}.jpg"],
            caption=find_caption("borders"),
            category="Borders on the scans",
            labels={"patient": "{patient}", "visit": "{visit}"},
        ),
        change=report(
            directory(OUT / "gallery" / "change"),
            patterns=["{patient}_change.jpg"],
            caption=find_caption("change"),
            category="Local change",
            labels={"patient": "{patient}"},
        ),
    log:
        OUT / "logs" / "report.log",
    benchmark:
        OUT / "benchmarks" / "report.tsv"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        code=CODE["report"],
        config=CONFIG.as_json(),
        blind=OVERSIGHT.option,
        departures=OVERSIGHT.digest,
    shell:
        "exec python -m graytrace report --config {params.config:q} {params.blind} > {log:q} 2>&1"
