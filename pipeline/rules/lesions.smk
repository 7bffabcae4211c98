# Lesions: only for scans that have a lesion mask.


rule fill_lesions:
    input:
        lesion_mask=lambda wc: PLAN.lesion_mask(wc.participant, wc.visit),
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
        mem_mb=lambda wc, attempt: 1100 * attempt,
    params:
        code=code_of("fill_lesions", "lesion_filling"),
    shell:
        "exec python -m pipeline fill_lesions --participant {wildcards.participant} --visit {wildcards.visit}"
        " --lesion-mask {input.lesion_mask:q} --skull-strip {input.skull_strip:q} --correct-bias {input.correct_bias:q}"
        " --record {output.record:q} --threads {threads} > {log:q} 2>&1"
