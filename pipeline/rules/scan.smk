# A scan: can it be measured, where is the brain, what is its bias field.
# Memory here and in the other rules: the largest job of the 1 mm validation cohort and half as much again.


rule inspect:
    input:
        t1w=lambda wc: PLAN.t1w(wc.participant, wc.visit),
    output:
        record=OUT / "records" / SCAN / "inspect.json",
    log:
        OUT / "logs" / SCAN / "inspect.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "inspect.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 500 * attempt,
    params:
        code=CODE["inspect"],
    shell:
        command_line("inspect")


rule skull_strip:
    input:
        t1w=lambda wc: PLAN.t1w(wc.participant, wc.visit),
        inspect=OUT / "records" / SCAN / "inspect.json",
    output:
        record=OUT / "records" / SCAN / "skull_strip.json",
    log:
        OUT / "logs" / SCAN / "skull_strip.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "skull_strip.tsv"
    container:
        SKULL_STRIP.container
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: SKULL_STRIP.mem_mb(2200) * attempt,
    params:
        code=CODE["skull_strip"],
        engine=SKULL_STRIP.engine,
        options=SKULL_STRIP.options,
    shell:
        command_line("skull_strip")


rule correct_bias:
    input:
        t1w=lambda wc: PLAN.t1w(wc.participant, wc.visit),
        inspect=OUT / "records" / SCAN / "inspect.json",
        skull_strip=OUT / "records" / SCAN / "skull_strip.json",
    output:
        record=OUT / "records" / SCAN / "correct_bias.json",
    log:
        OUT / "logs" / SCAN / "correct_bias.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "correct_bias.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 1000 * attempt,
    params:
        code=CODE["correct_bias"],
    shell:
        command_line("correct_bias")
