"""Operation qualification: a study of phantoms, one of them damaged, interrupted, resumed and measured again."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from graytrace.catalog import STEPS
from graytrace.errors import PipelineError
from graytrace.files import file_sha256, write_text
from graytrace.phantoms.atrophy import TissueLoss
from graytrace.phantoms.cohort import BASELINE, FOLLOWUP, PhantomPatient, draw_patients, write_cohort
from graytrace.records import file_signature, read_record, record_path
from graytrace.results.qualification import LIMITS, Check
from graytrace.tables import read_rows
from graytrace.workflow.audit_trail import HEAD_NAME, TRAIL_NAME
from graytrace.workflow.project import SNAKEFILE

_SEED = 1
_MEASURED = {"ok", "flagged"}
_FAULTS = {"truncated", "damaged"}
_POLL_SECONDS = 0.1
_NAMED = 3
# what tells of a run and not of its results
_NOT_RESULTS = ("logs", "benchmarks", ".snakemake", TRAIL_NAME, HEAD_NAME)


@dataclass(frozen=True)
class PhantomStudy:
    """A study of phantoms in a folder of its own."""

    folder: Path
    good: Sequence[PhantomPatient]
    damaged: str
    cores: int

    @property
    def bids_dir(self) -> Path:
        """The phantoms."""
        return self.folder / "phantoms"

    @property
    def truth_dir(self) -> Path:
        """Their truth."""
        return self.folder / "phantoms-truth"

    @property
    def results(self) -> Path:
        """What the workflow writes."""
        return self.folder / "results"

    @property
    def log(self) -> Path:
        """All that the workflow says."""
        return self.folder / "run.log"


def make_study(folder: Path, extent: str, *, cores: int) -> PhantomStudy:
    """Write the phantoms: those of ``make demo``, the last one of them without loss, and one whose baseline is cut off.

    Parameters
    ----------
    folder : Path
    extent : {"full", "quick"}
        Three patients of 1 mm, one with lesions, or two of 2 mm.
    cores : int
    """
    drawn = draw_patients(4, seed=_SEED)
    chosen = drawn[:3] if extent == "full" else [drawn[0], drawn[2]]
    good = [*chosen[:-1], dataclasses.replace(chosen[-1], loss=TissueLoss(0.0, 0.0, 0.0))]
    damaged = drawn[3].participant_id
    study = PhantomStudy(folder, good, damaged, cores)
    voxel_mm = LIMITS[extent].voxel_mm
    write_cohort(study.bids_dir, [*good, drawn[3]], voxel_mm=voxel_mm, seed=_SEED, jobs=min(cores, len(good) + 1))
    cut = study.bids_dir / damaged / f"ses-{BASELINE}" / "anat" / f"{damaged}_ses-{BASELINE}_T1w.nii.gz"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    has_lesions = any(patient.n_lesions for patient in good)
    config = {
        "bids_dir": str(study.bids_dir),
        "output_dir": str(study.results),
        "baseline": BASELINE,
        "followup": FOLLOWUP,
        "lesions": "derivatives/lesions" if has_lesions else None,
    }
    write_text(folder / "study.yaml", yaml.safe_dump({"study": config}, sort_keys=False))
    study.results.mkdir(parents=True, exist_ok=True)
    return study


def _start(study: PhantomStudy) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(study.results)]
    command += ["--cores", str(study.cores), "--configfile", str(study.folder / "study.yaml")]
    with study.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own command, no shell
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _finish(process: subprocess.Popen[bytes]) -> int:
    """Wait for a run; it ends with us."""
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def qualify_operation(study: PhantomStudy) -> list[Check]:
    """Run the study three times over and look at what is there.

    Raises
    ------
    PipelineError
        No run of it came to an end, so that there is nothing to look at.
    """
    data = digest_files(study.bids_dir)
    before = _interrupt(study)
    code = _finish(_start(study))
    if not (study.results / "atrophy.tsv").is_file():
        raise PipelineError(f"The study of phantoms came to no table (exit code {code}). {study.log} says why.")
    checks = [_check_resumed(study, before, code), _check_records(study), _check_damaged(study)]
    checks.append(_check_repeated(study))
    same = digest_files(study.bids_dir) == data
    found = f"{len(data)} files, the same bytes" if same else "other bytes"
    return [*checks, Check("OQ-5", "The data set is only read", "the same bytes before and after", found, same)]


@dataclass(frozen=True)
class _Interrupted:
    """What a killed run had finished: digest and signature of each record, and whether it was running when killed."""

    was_running: bool
    finished: Mapping[Path, tuple[str, list[int] | None]]


def _interrupt(study: PhantomStudy) -> _Interrupted:
    """Start a run and kill it, jobs and all, once a scan is corrected for non-uniformity."""
    process = _start(study)
    try:
        while process.poll() is None and not any(study.results.glob("records/*/*/correct_bias.json")):
            time.sleep(_POLL_SECONDS)
    finally:
        was_running = process.poll() is None
        if was_running:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    found = sorted(study.results.glob("records/*/*/*.json"))
    return _Interrupted(was_running, {path: (file_sha256(path), file_signature(path)) for path in found})


def _check_resumed(study: PhantomStudy, before: _Interrupted, code: int) -> Check:
    """What was finished before the kill is kept, what was cut off is done again with the same bytes."""
    finished = before.finished
    kept = sum(file_signature(path) == signature for path, (_, signature) in finished.items())
    other = [path.name for path, (digest, _) in finished.items() if not path.is_file() or file_sha256(path) != digest]
    found = f"exit code {code}; {kept} of {len(finished)} finished steps kept, {len(other)} with other bytes"
    return Check(
        "OQ-1",
        "A run that was killed goes on by the same command",
        f"exit code 0; finished steps are kept but those cut off with the run (at most {study.cores}); the same bytes",
        found if before.was_running else "the run ended before it could be killed",
        before.was_running and code == 0 and not other and kept >= max(len(finished) - study.cores, 1),
    )


def _check_records(study: PhantomStudy) -> Check:
    """Each step of each good patient has a whole record that says ok, with the files that it names."""
    wrong = []
    planned = list(_planned(study))
    for path in planned:
        try:
            record = read_record(path)
            for name in record.outputs:
                record.open_output(name, study.results)
            state: str = record.status
        except (OSError, PipelineError) as error:
            state = f"no record: {error}" if not path.is_file() else str(error)
        if state != "ok":
            wrong.append(f"{path.relative_to(study.results / 'records')}: {state}")
    return Check(
        "OQ-2",
        "Each step of each good patient",
        f"{len(planned)} records with status ok, and the digest of each file that they name",
        "; ".join(wrong[:_NAMED]) or f"{len(planned)} of {len(planned)} as expected",
        not wrong,
    )


def _planned(study: PhantomStudy) -> list[Path]:
    """Records of the good patients, by the catalog of steps."""
    found = []
    for patient in study.good:
        for step in STEPS.values():
            if step.scope == "study" or (step.with_lesions and not patient.n_lesions):
                continue
            pair = [{"baseline": BASELINE, "followup": FOLLOWUP}]
            visits = pair if step.scope == "pair" else [{"visit": BASELINE}, {"visit": FOLLOWUP}]
            found += [record_path(study.results, patient.participant_id, one, step.name) for one in visits]
    return found


def _check_damaged(study: PhantomStudy) -> Check:
    rows = {row.participant_id: row for row in read_rows(study.results / "atrophy.tsv", required=["status"])}
    damaged = rows.get(study.damaged)
    code = ((damaged.get("reason") if damaged else None) or "").partition(":")[0]
    status = (damaged.get("status") if damaged else None) or "no row"
    others = [row.get("status") or "" for name, row in rows.items() if name != study.damaged]
    is_right = status == "failed" and code in _FAULTS and len(others) == len(study.good) and set(others) <= _MEASURED
    return Check(
        "OQ-3",
        "A damaged scan is told and stops nobody else",
        f"{study.damaged} failed, reason truncated or damaged; {len(study.good)} others measured",
        f"{study.damaged} {status}, reason {code or 'none'}; others: {', '.join(others) or 'none'}",
        is_right,
    )


def _check_repeated(study: PhantomStudy) -> Check:
    """The files of two steps are taken away and made again, with all that hangs on them: the same bytes everywhere."""
    patient = study.good[0].participant_id
    pair = {"baseline": BASELINE, "followup": FOLLOWUP}
    again = [
        record_path(study.results, patient, {"visit": BASELINE}, "segment_tissue"),
        record_path(study.results, patient, pair, "measure_change"),
    ]
    before, signatures = digest_files(study.results), [file_signature(path) for path in again]
    _take_away(study, again)
    code = _finish(_start(study))
    after = digest_files(study.results)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    is_new = all(file_signature(path) not in (None, old) for path, old in zip(again, signatures, strict=True))
    found = "; ".join(changed[:_NAMED]) or f"{len(after)} files, the same bytes"
    return Check(
        "OQ-4",
        f"Segmentation and change of {patient} done twice",
        "the same bytes in every file of results",
        found if is_new else f"the steps were not done again (exit code {code})",
        is_new and code == 0 and not changed,
    )


def _take_away(study: PhantomStudy, records: Sequence[Path]) -> None:
    """Remove the files that records name; a step that never got so far has none, and another check tells that."""
    for path in records:
        try:
            outputs = read_record(path).outputs
        except (OSError, PipelineError):
            continue
        for output in outputs.values():
            (study.results / output.path).unlink(missing_ok=True)


def digest_files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file under a folder by its path there, without logs, times and hidden files."""
    return {
        name.as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (name := path.relative_to(folder)).parts[0] not in _NOT_RESULTS
        and not path.name.startswith(".")
    }
