"""Every engine with stand-ins for its programs: what it makes of a success, and that nothing wrong becomes a result."""

import os
import shutil
import time

import fake_programs
import nibabel as nib
import numpy as np
import pytest

from graytrace.engines import suites
from graytrace.engines.ants.tissue import scale_by_brain
from graytrace.engines.freesurfer.synthseg import LABELS
from graytrace.engines.fsl.scripts import copy_scan
from graytrace.engines.registry import TASKS, engine_of
from graytrace.engines.runner import run_task
from graytrace.errors import ImageError, ToolError

ENGINES = [
    (task, name) for task, content in TASKS.items() for name, engine in content.engines.items() if engine.commands
]
IMAGES = [(task, name) for task, name in ENGINES if task != "change"]
HOURS = 0.8 / 3600


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    fake_programs.prepare(root, LABELS)
    return root


@pytest.fixture
def call(prepared, tmp_path, monkeypatch):
    """Run an engine on a small scan; its programs follow a mode."""
    folder = tmp_path / "bin"
    for variable, file, text in (
        ("FSLDIR", "etc/fslversion", "6.0.7.4\n"),
        ("FREESURFER_HOME", "build-stamp.txt", "freesurfer-linux-ubuntu22_x86_64-7.4.1-20230614-7eb8460\n"),
        ("SPM_HOME", "Contents.m", "% Statistical Parametric Mapping\n% Version 7771 (SPM12) 13-Jan-20\n"),
    ):
        path = tmp_path / variable / file
        path.parent.mkdir(parents=True)
        path.write_text(text)
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for file in ("spm_bsplinc.mex", "tpm/TPM.nii"):
        (tmp_path / "SPM_HOME" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "SPM_HOME" / file).touch()
    monkeypatch.delenv("SUBJECTS_DIR", raising=False)
    monkeypatch.setattr(suites, "package_version", lambda _name: "1.0.2")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE", str(prepared))
    scan = {name: prepared / "succeed" / f"{name}.nii.gz" for name in ("image", "mask", "wide_mask")}
    inputs = {
        "in_file": scan["image"],
        "brain_mask": scan["mask"],
        "intracranial_mask": scan["wide_mask"],
        "baseline_file": scan["image"],
        "followup_file": scan["image"],
        "template": scan["image"],
        "template_brain_probability": scan["mask"],
    }

    def run(task, name, mode="succeed", **options):
        monkeypatch.setenv("FAKE_MODE", mode)
        engine = engine_of(task, name)
        fake_programs.install(folder, engine.commands)
        cwd = tmp_path / "job"
        shutil.rmtree(cwd, ignore_errors=True)
        cwd.mkdir()
        return run_task(TASKS[task], engine, {**inputs, **options}, cwd=cwd, threads=1)

    yield run
    os.environ.pop("SUBJECTS_DIR", None)


def failure(call, task, name, mode, **options):
    with pytest.raises(ToolError) as caught:
        call(task, name, mode, **options)
    return caught.value


@pytest.mark.parametrize(("task", "name"), ENGINES)
def test_a_tool_that_works_gives_what_the_stage_wants_whatever_it_says_on_stderr(call, task, name):
    engine = engine_of(task, name)
    result = call(task, name)
    assert set(result.images) >= set(TASKS[task].images) - set(engine.without)
    assert result.tool_versions[suites.SUITES[engine.suite].title] in {"6.0.7.4", "2.5.4", "7.4.1", "12.7771", "1.0.2"}


@pytest.mark.parametrize(("task", "name"), ENGINES)
def test_a_tool_that_fails_gives_no_result_although_its_files_are_there(call, task, name):
    error = failure(call, task, name, "fail")
    assert "exit code 3" in str(error)
    assert "the last words" in str(error)
    assert not error.about_data


@pytest.mark.parametrize(("task", "name"), ENGINES)
def test_a_tool_that_is_killed_says_memory(call, task, name):
    error = failure(call, task, name, "killed")
    assert error.code == "tool_killed"
    assert "memory" in str(error)
    assert not error.about_data


@pytest.mark.parametrize(("task", "name"), ENGINES)
def test_a_tool_that_writes_nothing_failed(call, task, name):
    error = failure(call, task, name, "nothing")
    assert error.code == "output_missing"
    assert not error.about_data


@pytest.mark.parametrize(("task", "name"), ENGINES)
def test_a_tool_that_hangs_is_ended_with_everything_that_it_started(call, task, name):
    start = time.monotonic()
    error = failure(call, task, name, "hang", time_limit_hours=HOURS)
    assert error.code == "tool_time_limit"
    assert "time_limit_hours" in str(error)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(("task", "name"), ENGINES)
def test_half_a_file_is_no_result(call, task, name):
    error = failure(call, task, name, "half")
    assert error.code == "output_damaged"
    assert not error.about_data


@pytest.mark.parametrize(("task", "name"), IMAGES)
def test_an_image_on_another_grid_is_no_result(call, task, name):
    error = failure(call, task, name, "grid")
    assert error.code == "output_grid"
    assert not error.about_data


@pytest.mark.parametrize(("task", "name"), IMAGES)
def test_an_image_that_is_not_finite_or_empty_is_about_the_data(call, task, name):
    assert failure(call, task, name, "nan").code == "output_not_finite"
    error = failure(call, task, name, "empty")
    assert error.code == "output_empty"
    assert error.about_data


@pytest.mark.parametrize("name", ["fsl", "freesurfer"])
def test_a_report_without_numbers_is_no_result(call, name):
    for mode in ("nan", "empty"):
        assert failure(call, "change", name, mode).code in {"output_damaged", "output_not_finite", "output_empty"}


@pytest.mark.parametrize(("task", "name"), ENGINES)
def test_a_tool_that_is_absent_is_named_with_what_to_do(call, task, name, tmp_path, monkeypatch):
    monkeypatch.setattr(fake_programs, "install", lambda *_: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure(call, task, name, "succeed")
    assert error.code == "tool_absent"
    assert f"{engine_of(task, name).commands[0]} is not installed" in str(error)
    assert "install" in str(error)


def read(path):
    return np.asarray(nib.load(path).dataobj)


def test_fasts_classes_are_told_by_the_names_of_its_files(call, prepared):
    images = call("segmentation", "fsl").images
    for number, trait in enumerate(("csf_fraction", "gm_fraction", "wm_fraction")):
        np.testing.assert_array_equal(read(images[trait]), read(prepared / "succeed" / f"pve_{number}.nii.gz"))


def test_atropos_classes_are_told_by_their_brightness_not_by_their_number(call, prepared):
    images = call("segmentation", "ants").images  # the stand-in writes GM, WM, CSF in this order
    for number, trait in enumerate(("csf_fraction", "gm_fraction", "wm_fraction")):
        np.testing.assert_array_equal(read(images[trait]), read(prepared / "succeed" / f"pve_{number}.nii.gz"))


def test_atropos_looks_for_csf_within_the_skull_and_n4_weighs_the_brain(call, prepared, tmp_path, monkeypatch):
    for program, option, name in (
        ("Atropos", "--mask-image", "searched"),
        ("N4BiasFieldCorrection", "--mask-image", "evened"),
        ("N4BiasFieldCorrection", "--weight-image", "weighed"),
    ):
        body = f'cp "$(after {option} "$@")" {name}.nii.gz; {fake_programs.PROGRAMS[program]}'
        monkeypatch.setitem(fake_programs.PROGRAMS, program, body)
    call("segmentation", "ants")
    for name, mask in (("searched", "wide_mask"), ("evened", "wide_mask"), ("weighed", "mask")):
        given = read(tmp_path / "job" / f"{name}.nii.gz")
        np.testing.assert_array_equal(given, read(prepared / "succeed" / f"{mask}.nii.gz"))


def test_atropos_tissue_ends_at_the_brain_and_is_csf_beyond(call, prepared, tmp_path):
    mask = nib.load(prepared / "succeed" / "mask.nii.gz")
    smaller = np.asarray(mask.dataobj).copy()
    smaller[4:] = 0
    nib.save(nib.Nifti1Image(smaller, mask.affine), tmp_path / "smaller.nii.gz")
    images = call("segmentation", "ants", brain_mask=tmp_path / "smaller.nii.gz").images
    csf, gm, wm = (read(images[trait]) for trait in ("csf_fraction", "gm_fraction", "wm_fraction"))
    brain, searched = smaller > 0, read(prepared / "succeed" / "mask.nii.gz") > 0
    assert gm[brain].all()
    assert not gm[~brain].any()
    assert not wm[~brain].any()
    np.testing.assert_allclose((csf + gm + wm)[searched], 1, atol=1e-6)
    np.testing.assert_array_equal(csf[brain], read(prepared / "succeed" / "pve_0.nii.gz")[brain])


def test_n4_and_atropos_see_the_brain_at_one_brightness_whatever_the_scans_unit(call, prepared, tmp_path, monkeypatch):
    body = f'cp "$(after --input-image "$@")" seen.nii.gz; {fake_programs.PROGRAMS["N4BiasFieldCorrection"]}'
    monkeypatch.setitem(fake_programs.PROGRAMS, "N4BiasFieldCorrection", body)
    scan = nib.load(prepared / "succeed" / "image.nii.gz")
    faint = tmp_path / "faint.nii.gz"
    nib.save(nib.Nifti1Image(np.float32(1e-6) * scan.get_fdata(dtype=np.float32), scan.affine), faint)
    call("segmentation", "ants", in_file=faint)
    brain = read(prepared / "succeed" / "mask.nii.gz") > 0
    assert read(tmp_path / "job" / "seen.nii.gz")[brain].mean() == pytest.approx(100, rel=1e-4)


@pytest.mark.parametrize("program", ["N4BiasFieldCorrection", "Atropos"])
def test_n4_and_atropos_are_asked_to_say_why_they_fail(call, monkeypatch, program):
    body = 'if [ "$(after --verbose "$@")" = 1 ]; then echo "ITK ERROR: a reason"; fi; exit 1'
    monkeypatch.setitem(fake_programs.PROGRAMS, program, body)
    assert "a reason" in str(failure(call, "segmentation", "ants", "succeed"))


def test_spms_classes_are_told_by_the_order_of_its_map(call, prepared):
    images = call("segmentation", "spm").images
    for number, trait in enumerate(("gm_fraction", "wm_fraction", "csf_fraction"), start=1):
        np.testing.assert_array_equal(read(images[trait]), read(prepared / "succeed" / f"c{number}.nii"))


def test_an_error_within_spm_is_no_result_although_octave_ends_well(call, monkeypatch):
    said = "echo 'MATLAB code threw an exception:' >&2; echo 'spm_maff8: not enough points' >&2"
    monkeypatch.setitem(fake_programs.PROGRAMS, "octave-cli", f"{fake_programs.PROGRAMS['octave-cli']}\n{said}")
    error = failure(call, "segmentation", "spm", "succeed")
    assert "not enough points" in str(error)
    assert not error.about_data


def test_synthsegs_posteriors_come_back_to_the_scans_grid(call):
    result = call("segmentation", "freesurfer")
    total = sum(read(result.images[name]) for name in ("gm_fraction", "wm_fraction", "csf_fraction"))
    assert total.shape == fake_programs.SHAPE
    np.testing.assert_allclose(total[3:-3, 3:-3, 3:-3], 1, atol=1e-5)
    deep, gray = read(result.images["subcortical_gm_fraction"]), read(result.images["gm_fraction"])
    assert (deep <= gray + 1e-6).all()
    assert result.measures["synthseg_icv_ml"] == pytest.approx(1500.1235)


def test_samsegs_structures_add_up_to_tissues(call, prepared):
    result = call("segmentation", "samseg")
    csf, gm, wm = (read(prepared / "succeed" / f"pve_{number}.nii.gz") for number in range(3))
    np.testing.assert_allclose(read(result.images["wm_fraction"]), wm, atol=1e-6)
    np.testing.assert_allclose(read(result.images["csf_fraction"]), csf, atol=1e-6)
    np.testing.assert_allclose(read(result.images["gm_fraction"]), np.minimum(1.25 * gm, 1), atol=1e-6)
    np.testing.assert_allclose(read(result.images["subcortical_gm_fraction"]), gm / 4, atol=1e-6)


def test_synthstrip_gives_brain_and_intracranial_space(call):
    result = call("skull_strip", "freesurfer")
    brain, intracranial = (read(result.images[name]) for name in ("brain_mask", "intracranial_mask"))
    assert (intracranial >= brain).all()
    assert intracranial.sum() > brain.sum()
    assert result.measures == {"has_intracranial_volume": True}


@pytest.mark.parametrize("name", ["fsl", "ants"])
def test_a_tool_that_finds_only_the_brain_says_that_it_knows_no_intracranial_volume(call, name):
    result = call("skull_strip", name)
    brain, intracranial = (read(result.images[trait]) for trait in ("brain_mask", "intracranial_mask"))
    assert (intracranial >= brain).all()
    assert result.measures == {"has_intracranial_volume": False}


def test_siena_tells_the_whole_brain_and_nothing_of_gray_matter(call):
    assert call("change", "fsl").measures == pytest.approx(
        {"brain_change_percent": -0.684792, "siena_forward_percent": -0.675195, "siena_backward_percent": 0.694389}
    )


def test_samsegs_change_is_that_of_its_volumes(call):
    measures = call("change", "freesurfer").measures
    before, after = fake_programs.BASELINE_ML, fake_programs.FOLLOWUP_ML
    gray = [visit["Cerebral-Cortex"] + visit["Thalamus"] for visit in (before, after)]
    assert measures["gm_change_percent"] == pytest.approx(100 * (gray[1] / gray[0] - 1))
    assert measures["deep_gm_change_percent"] == pytest.approx(100 * (6.5 / 7 - 1))
    assert measures["wm_change_percent"] == pytest.approx(100 * (218 / 220 - 1))


@pytest.mark.parametrize(("task", "name", "program"), [("skull_strip", "fsl", "bet"), ("change", "fsl", "siena")])
@pytest.mark.parametrize(
    "said", ["1: dc: not found", "line 9: dc: command not found", "line 9: /x/dc: No such file or directory"]
)
def test_a_script_that_missed_a_program_is_no_result_although_it_ends_well(
    call, monkeypatch, task, name, program, said
):
    body = f"{fake_programs.PROGRAMS[program]}; echo '/opt/fsl/bin/{program}: {said}' >&2"
    monkeypatch.setitem(fake_programs.PROGRAMS, program, body)
    error = failure(call, task, name, "succeed")
    assert "went on without dc" in str(error)
    assert not error.about_data


def test_a_program_that_the_ants_script_missed_is_named_although_it_ends_well(call, monkeypatch):
    said = "we cant find the bc program -- does not seem to exist."  # codespell:ignore cant
    monkeypatch.setitem(fake_programs.PROGRAMS, "antsBrainExtraction.sh", f'echo "{said}"; exit')
    error = failure(call, "skull_strip", "ants", "succeed")
    assert "did not find bc" in str(error)
    assert not error.about_data


def test_the_ants_script_gets_paths_without_blanks(call, prepared, tmp_path, monkeypatch):
    split = 'for word in "$@"; do case "$word" in *" "*) echo "no file ${word%% *}" >&2; exit 1 ;; esac; done'
    body = f"{split}; {fake_programs.PROGRAMS['antsBrainExtraction.sh']}"
    monkeypatch.setitem(fake_programs.PROGRAMS, "antsBrainExtraction.sh", body)
    folder = tmp_path / "my study"
    shutil.copytree(prepared / "succeed", folder)
    inputs = {
        "in_file": folder / "image.nii.gz",
        "template": folder / "image.nii.gz",
        "template_brain_probability": folder / "mask.nii.gz",
        "template_registration_mask": folder / "wide_mask.nii.gz",
    }
    np.testing.assert_array_equal(
        read(call("skull_strip", "ants", **inputs).images["brain_mask"]), read(folder / "mask.nii.gz")
    )


def test_pictures_that_siena_could_not_draw_do_not_matter(call, monkeypatch):
    lines = ("siena: line 9: /x/slicer: No such file or directory", "rm: cannot remove 'x': No such file or directory")
    said = "; ".join(f'echo "{line}" >&2' for line in lines)
    monkeypatch.setitem(fake_programs.PROGRAMS, "siena", f"{fake_programs.PROGRAMS['siena']}; {said}")
    assert call("change", "fsl").measures["brain_change_percent"] == pytest.approx(-0.684792)


def test_a_program_that_siena_missed_stands_in_its_report_where_its_shell_sends_stderr_there(call, monkeypatch):
    said = 'echo "/x/bin/siena_flirt: 9: /x/bin/avscale: not found" >> "$(after -o "$@")/report.siena"'
    monkeypatch.setitem(fake_programs.PROGRAMS, "siena", f"{fake_programs.PROGRAMS['siena']}; {said}")
    assert "went on without avscale" in str(failure(call, "change", "fsl", "succeed"))


@pytest.mark.parametrize(("task", "program"), [("skull_strip", "bet"), ("change", "siena")])
def test_fsls_scripts_never_see_a_blank_in_a_path(call, prepared, tmp_path, monkeypatch, task, program):
    scan = tmp_path / "my study" / "scan.nii.gz"
    scan.parent.mkdir()
    shutil.copy(prepared / "succeed" / "image.nii.gz", scan)
    refuse = 'case "$*" in *"my study"*) exit 5 ;; esac; for path in "$@"; do test ! -h "$path" || exit 6; done'
    monkeypatch.setitem(fake_programs.PROGRAMS, program, f"{refuse}; {fake_programs.PROGRAMS[program]}")
    assert call(task, "fsl", in_file=scan, baseline_file=scan, followup_file=scan)


def test_a_job_folder_with_a_blank_is_named_with_what_to_set(tmp_path):
    (tmp_path / "my folder").mkdir()
    with pytest.raises(ToolError, match="TMPDIR"):
        copy_scan(tmp_path / "scan.nii.gz", tmp_path / "my folder", "scan")


def test_options_of_the_configuration_reach_the_program(call, tmp_path):
    program = tmp_path / "bin" / "bet"
    real = dict(fake_programs.PROGRAMS)
    fake_programs.PROGRAMS["bet"] = 'echo "$@" > arguments; ' + real["bet"]
    try:
        call("skull_strip", "fsl", bet_fraction=0.35)
    finally:
        fake_programs.PROGRAMS.update(real)
    assert program.exists()
    assert "-f 0.35" in (tmp_path / "job" / "arguments").read_text()


def test_a_scan_without_signal_in_the_brain_is_a_fault_of_the_scan():
    with pytest.raises(ImageError, match="mean in the brain mask is 0"):
        scale_by_brain(np.zeros((3, 3, 3)), np.ones((3, 3, 3), bool))
