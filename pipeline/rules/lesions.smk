# Lesions: only for scans that have a lesion mask, or a FLAIR scan to find them on. Both visits of a pair are filled alike.


rule find_lesions:
    input:
        lesions=lambda wc: PLAN.lesion_source(wc.participant, wc.visit)[1],
        skull_strip=OUT / "records" / SCAN / "skull_strip.json",
        correct_bias=OUT / "records" / SCAN / "correct_bias.json",
    output:
        record=OUT / "records" / SCAN / "find_lesions.json",
    log:
        OUT / "logs" / SCAN / "find_lesions.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "find_lesions.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 1800 * attempt,
    params:
        code=CODE["find_lesions"],
        source=lambda wc: PLAN.lesion_source(wc.participant, wc.visit)[0],
    shell:
        command_line("find_lesions", "--{params.source} {input.lesions:q}")


rule join_lesions:
    input:
        unpack(
            lambda wc: PLAN.pair_records(**wc, steps=["correct_bias", "find_lesions"])
        ),
        align_visits=OUT / "records" / PAIR / "align_visits.json",
    output:
        record=OUT / "records" / PAIR / "join_lesions.json",
    log:
        OUT / "logs" / PAIR / "join_lesions.log",
    benchmark:
        OUT / "benchmarks" / PAIR / "join_lesions.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 1000 * attempt,
    params:
        code=CODE["join_lesions"],
        naming=lambda wc: PLAN.naming(**wc),
    shell:
        command_line("join_lesions")


rule fill_lesions:
    input:
        skull_strip=OUT / "records" / SCAN / "skull_strip.json",
        correct_bias=OUT / "records" / SCAN / "correct_bias.json",
        find_lesions=OUT / "records" / SCAN / "find_lesions.json",
        joined=lambda wc: PLAN.joined_records(wc.participant, wc.visit),
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
    shell:
        command_line("fill_lesions", "--joined {input.joined:q}")
