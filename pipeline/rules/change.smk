# A patient's two visits: half-way between them, and what was lost.


rule align_visits:
    input:
        unpack(
            lambda wc: PLAN.pair_records(
                **wc, steps=["inspect", "skull_strip", "image"]
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
    shell:
        "exec python -m graytrace align_visits --participant {wildcards.participant}"
        " --baseline {wildcards.baseline} --followup {wildcards.followup}"
        " --baseline-inspect {input.baseline_inspect:q} --followup-inspect {input.followup_inspect:q}"
        " --baseline-skull-strip {input.baseline_skull_strip:q} --followup-skull-strip {input.followup_skull_strip:q}"
        " --baseline-image {input.baseline_image:q} --followup-image {input.followup_image:q}"
        " --code {params.code} --record {output.record:q} --threads {threads} > {log:q} 2>&1"


rule measure_change:
    input:
        unpack(
            lambda wc: PLAN.pair_records(
                **wc, steps=["skull_strip", "image", "segment_tissue"]
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
        engine=CHANGE.engine,
        options=CHANGE.options,
    shell:
        "exec python -m graytrace measure_change --participant {wildcards.participant}"
        " --baseline {wildcards.baseline} --followup {wildcards.followup}"
        " --baseline-skull-strip {input.baseline_skull_strip:q} --followup-skull-strip {input.followup_skull_strip:q}"
        " --baseline-image {input.baseline_image:q} --followup-image {input.followup_image:q}"
        " --baseline-segment-tissue {input.baseline_segment_tissue:q}"
        " --followup-segment-tissue {input.followup_segment_tissue:q}"
        " --align-visits {input.align_visits:q} --engine {params.engine:q} --options {params.options:q}"
        " --code {params.code} --record {output.record:q} --threads {threads} > {log:q} 2>&1"
