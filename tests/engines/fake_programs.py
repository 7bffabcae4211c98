"""Stand-ins for the programs of FSL, ANTs, FreeSurfer, SPM and deepbet: shell scripts that put prepared files in place.

A prepared file lies in a folder for each way to go wrong; FAKE_MODE says which one a program follows. The scripts know
the programs' documented options and nothing else.
"""

import nibabel as nib
import numpy as np

SHAPE = (10, 11, 12)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = (-10, -11, -12)
FINE_SHAPE = (22, 24, 26)
FINE_AFFINE = np.eye(4)
FINE_AFFINE[:3, 3] = (-11, -12, -13)
SIENA_REPORT = """
 SIENA - Structural Image Evaluation, using Normalization, of Atrophy
 part of FSL www.fmrib.ox.ac.uk/fsl
 running longitudinal atrophy measurement: siena version 2.6
----------  change analysis  ------------------------------------------
corr1=.6917807783 corr2=.7014739015 corr=.6966273399
AREA  217365.3 mm^2
VOLC  5031.18 mm^3
RATIO 0.023146 mm
PBVC  0.694389 %
AREA  217410.6 mm^2
VOLC  -4893.11 mm^3
RATIO -0.022506 mm
PBVC  -0.675195 %

finalPBVC -.6847920000 %
"""
SYNTHSEG_VOLUMES = "subject,total intracranial,left cerebral white matter,csf\nscan,1500123.5,220000.25,310000.75\n"
BASELINE_ML = {"Cerebral-White-Matter": 220.0, "Cerebral-Cortex": 250.0, "Thalamus": 7.0, "Lateral-Ventricle": 12.0}
FOLLOWUP_ML = {"Cerebral-White-Matter": 218.0, "Cerebral-Cortex": 245.0, "Thalamus": 6.5, "Lateral-Ventricle": 14.0}

_PREAMBLE = """#!/bin/sh
if [ "$1" = --version ]; then echo "ANTs Version: 2.5.4.post1-gabc"; exit 0; fi
after() { want="$1"; shift; while [ $# -gt 0 ]; do if [ "$1" = "$want" ]; then echo "$2"; return; fi; shift; done; }
put() { mkdir -p "$(dirname "$2")"; cp "$FAKE/$FAKE_MODE/$1" "$2"; }
case "$FAKE_MODE" in
  hang) sleep 600 & wait ;;
  nothing) exit 0 ;;
  killed) kill -9 $$ ;;
esac
echo "a warning on stderr" >&2
"""
_ENDING = """
if [ "$FAKE_MODE" = fail ]; then echo "the last words" >&2; exit 3; fi
"""
PROGRAMS = {
    "bet": 'put mask.nii.gz "${2%.nii.gz}_mask.nii.gz"; put mask.nii.gz "$2"',
    "fast": """
base=$(after -o "$@")
for name in seg mixeltype pveseg; do put mask.nii.gz "${base}_$name.nii.gz"; done
for n in 0 1 2; do put "pve_$n.nii.gz" "${base}_pve_$n.nii.gz"; done
""",
    "siena": 'put report.siena "$(after -o "$@")/report.siena"',
    "antsRegistration": "exit 1",
    "antsBrainExtraction.sh": """
out=$(after -o "$@")
put mask.nii.gz "${out}BrainExtractionMask.nii.gz"; put image.nii.gz "${out}BrainExtractionBrain.nii.gz"
""",
    "N4BiasFieldCorrection": 'out=$(after --output "$@"); put image.nii.gz "$out"',
    "Atropos": """
put pve_1.nii.gz POSTERIOR_01.nii.gz; put pve_2.nii.gz POSTERIOR_02.nii.gz; put pve_0.nii.gz POSTERIOR_03.nii.gz
put mask.nii.gz atropos.nii.gz
""",
    "mri_synthstrip": """
case "$*" in *--no-csf*) kind=mask ;; *) kind=wide_mask ;; esac
put $kind.nii.gz "$(after -m "$@")"
""",
    "mri_synthseg": """
put synthseg.nii.gz "$(after --o "$@")"; put posteriors.nii.gz "$(after --post "$@")"
put volumes.csv "$(after --vol "$@")"
""",
    "run_samseg": """
out=$(after --output "$@"); put baseline.stats "$out/samseg.stats"; put icv.stats "$out/sbtiv.stats"
put Left-Thalamus.mgz "$out/seg.mgz"
for path in "$FAKE/$FAKE_MODE"/*-*.mgz; do put "$(basename "$path")" "$out/posteriors/$(basename "$path")"; done
""",
    "mri_robust_template": """
put Left-Thalamus.mgz "$(after --template "$@")"
while [ "$1" != --mapmov ]; do shift; done
put Left-Thalamus.mgz "$2"; put Left-Thalamus.mgz "$3"
""",
    "run_samseg_long": """
out=$(after --output "$@")
for tp in 1:baseline 2:followup; do
  put "${tp#*:}.stats" "$out/tp00${tp%%:*}/samseg.stats"; put Left-Thalamus.mgz "$out/tp00${tp%%:*}/seg.mgz"
done
""",
    # it reads its script, as SPM would: where SPM is, and which scan is asked for
    "octave-cli": """
scan=$(sed -n "s/^'\\(.*scan\\.nii\\),1';.*/\\1/p" octave_segment.m)
grep -q "addpath('$SPM_HOME')" octave_segment.m || exit 4
for n in 1 2 3; do put "c$n.nii" "$(dirname "$scan")/c${n}scan.nii"; done
: > "$(dirname "$scan")/scan_seg8.mat"
""",
    "deepbet-cli": 'put mask.nii.gz "$(after -m "$@")"; put image.nii.gz "$(after -o "$@")"',
}


def install(folder, names):
    """Write programs into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        path.write_text(_PREAMBLE + PROGRAMS[name] + _ENDING)
        path.chmod(0o755)


def stats(volumes_ml):
    """A samseg.stats with both sides alike."""
    lines = [f"# Measure Intra-Cranial, {1.4e6:.6f}, mm^3"]
    for name, volume_ml in volumes_ml.items():
        lines += [f"# Measure {side}-{name}, {500 * volume_ml:.6f}, mm^3" for side in ("Left", "Right")]
    return "\n".join(lines) + "\n"


def tissues():
    """Three fractions (CSF, GM, WM) that sum to one in a block."""
    rng = np.random.default_rng(5)
    inside = np.zeros(SHAPE, bool)
    inside[2:-2, 2:-2, 2:-2] = True
    parts = rng.dirichlet((1, 1, 1), SHAPE) * inside[..., None]
    return inside, [parts[..., channel].astype(np.float32) for channel in range(3)]


def posteriors(labels):
    """SynthSeg's 33 posteriors at 1 mm over a block, and its segmentation."""
    rng = np.random.default_rng(6)
    inside = np.zeros(FINE_SHAPE, bool)
    inside[3:-3, 3:-3, 3:-3] = True
    parts = rng.dirichlet(np.full(len(labels) - 1, 0.2), FINE_SHAPE)
    every = np.concatenate([(~inside)[..., None], parts * inside[..., None]], axis=-1).astype(np.float32)
    return every, np.asarray(labels)[every.argmax(-1)].astype(np.int32)


def prepare(root, labels):
    """Write what the programs put in place, once for each way to go wrong."""
    inside, (csf, gm, wm) = tissues()
    wide = np.zeros_like(inside)
    wide[1:-1, 1:-1, 1:-1] = True
    every, segmentation = posteriors(labels)
    images = {
        "mask.nii.gz": (inside.astype(np.float32), AFFINE),
        "wide_mask.nii.gz": (wide.astype(np.float32), AFFINE),
        "image.nii.gz": (100 * csf + 500 * gm + 900 * wm, AFFINE),
        **{f"pve_{number}.nii.gz": (data, AFFINE) for number, data in enumerate((csf, gm, wm))},
        **{f"c{number}.nii": (data, AFFINE) for number, data in enumerate((gm, wm, csf), start=1)},
        "synthseg.nii.gz": (segmentation.astype(np.float32), FINE_AFFINE),
        "posteriors.nii.gz": (every, FINE_AFFINE),
    }
    for side in ("Left", "Right"):
        for name, data in (("Cerebral-Cortex", gm), ("Cerebral-White-Matter", wm), ("Lateral-Ventricle", csf)):
            images[f"{side}-{name}.mgz"] = (data / 2, AFFINE)
        images[f"{side}-Thalamus.mgz"] = (gm / 8, AFFINE)
    texts = {
        "report.siena": SIENA_REPORT,
        "volumes.csv": SYNTHSEG_VOLUMES,
        "icv.stats": "# Measure Intra-Cranial, 1400000.000000, mm^3\n",
        "baseline.stats": stats(BASELINE_ML),
        "followup.stats": stats(FOLLOWUP_ML),
    }
    for mode in ("succeed", "half", "grid", "nan", "empty"):
        (root / mode).mkdir(parents=True)
        for name, (data, affine) in images.items():
            _write_image(root / mode / name, data, affine, mode)
        for name, text in texts.items():
            (root / mode / name).write_text(_spoil_text(text, mode))
    (root / "fail").symlink_to(root / "succeed")


def _write_image(path, data, affine, mode):
    if mode == "grid":
        affine = affine.copy()
        affine[:3, 3] += 60.0
    elif mode == "nan":
        data = np.where(data == data.max(), np.nan, data)
    elif mode == "empty":
        data = np.zeros_like(data)
    kind = nib.MGHImage if path.suffix == ".mgz" else nib.Nifti1Image
    nib.save(kind(np.asarray(data, np.float32), affine), path)
    if mode == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _spoil_text(text, mode):
    if mode == "half":
        return text[: len(text) // 3]
    if mode == "nan":
        return "".join("nan" if word.replace(".", "").isdigit() else word for word in _words(text))
    return "" if mode == "empty" else text


def _words(text):
    word = ""
    for letter in text:
        if letter in " ,\n%":
            yield word
            yield letter
            word = ""
        else:
            word += letter
    yield word
