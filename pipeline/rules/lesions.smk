# Lesions: only for scans that have a lesion mask, or a FLAIR scan to find them on.


rule fill_lesions:
    input:
        lesions=lambda wc: PLAN.lesion_source(wc.participant, wc.visit)[1],
        skull_strip=OUT / "records" / SCAN / "skull_strip.json",
        correct_bias=OUT / "records" / SCAN / "correct_bias.json",
    output:
        record=OUT / "records" / SCAN / "fill_lesions.json",
    log:
        OUT / "logs" / SCAN / "fill_lesions.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "fill_lesions.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 1800 * attempt,
    params:
        code=CODE["fill_lesions"],
        source=lambda wc: PLAN.lesion_source(wc.participant, wc.visit)[0],
    shell:
        command_line("fill_lesions", "--{params.source} {input.lesions:q}")
