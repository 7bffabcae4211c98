# A scan's tissues: gray matter, white matter, CSF, and their volumes.


rule segment_tissue:
    input:
        image=lambda wc: PLAN.scan_record(wc.participant, wc.visit, "image"),
        skull_strip=OUT / "records" / SCAN / "skull_strip.json",
    output:
        record=OUT / "records" / SCAN / "segment_tissue.json",
    log:
        OUT / "logs" / SCAN / "segment_tissue.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "segment_tissue.tsv"
    container:
        SEGMENTATION.container
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: SEGMENTATION.mem_mb(2200) * attempt,
    params:
        code=CODE["segment_tissue"],
        engine=SEGMENTATION.engine,
        options=SEGMENTATION.options,
    shell:
        command_line("segment_tissue")


rule label_structures:
    input:
        segment_tissue=OUT / "records" / SCAN / "segment_tissue.json",
    output:
        record=OUT / "records" / SCAN / "label_structures.json",
    log:
        OUT / "logs" / SCAN / "label_structures.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "label_structures.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 1500 * attempt,
    params:
        code=CODE["label_structures"],
    shell:
        command_line("label_structures")


rule gray_matter_volume:
    input:
        skull_strip=OUT / "records" / SCAN / "skull_strip.json",
        segment_tissue=OUT / "records" / SCAN / "segment_tissue.json",
    output:
        record=OUT / "records" / SCAN / "gray_matter_volume.json",
    log:
        OUT / "logs" / SCAN / "gray_matter_volume.log",
    benchmark:
        OUT / "benchmarks" / SCAN / "gray_matter_volume.tsv"
    threads: 1
    resources:
        mem_mb=lambda wc, attempt: 800 * attempt,
    params:
        code=CODE["gray_matter_volume"],
    shell:
        command_line("gray_matter_volume")
