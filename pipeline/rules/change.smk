# A patient's two visits: half-way between them, and what was lost.


rule align_visits:
    input:
        unpack(
            lambda wc: PLAN.pair_records(
                **wc, steps=["inspect", "skull_strip", "correct_bias"]
            )
        ),
    output:
        record=OUT / "records" / PAIR / "align_visits.json",
    log:
        OUT / "logs" / PAIR / "align_visits.log",
    benchmark:
        OUT / "benchmarks" / PAIR / "align_visits.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 1400 * attempt,
    params:
        code=CODE["align_visits"],
        naming=lambda wc: PLAN.naming(**wc),
    shell:
        command_line("align_visits")


rule measure_change:
    input:
        unpack(
            lambda wc: PLAN.pair_records(
                **wc,
                steps=["skull_strip", "image", "segment_tissue", "label_structures"],
            )
        ),
        align_visits=OUT / "records" / PAIR / "align_visits.json",
    output:
        record=OUT / "records" / PAIR / "measure_change.json",
    log:
        OUT / "logs" / PAIR / "measure_change.log",
    benchmark:
        OUT / "benchmarks" / PAIR / "measure_change.tsv"
    container:
        CHANGE.container
    threads: 2
    resources:
        mem_mb=lambda wc, attempt: CHANGE.mem_mb(2000) * attempt,
    params:
        code=CODE["measure_change"],
        naming=lambda wc: PLAN.naming(**wc),
        engine=CHANGE.engine,
        options=CHANGE.options,
    shell:
        command_line("measure_change")
