"""Faults of the configuration, of tables and of the data set's layout: seen without measuring anything."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from fault_study import EXCLUDED, EXCLUSIONS, FOLLOWUP, LESIONED, TARGET, Fault, Slot

Do = Callable[[Slot], None]


def list_faults() -> list[Fault]:
    """All of them, by group."""
    return [*_configuration(), *_participants(), *_sessions(), *_other_tables(), *_layout(), *_files()]


def _with_text(text: str | bytes) -> Do:
    """A configuration that is this text."""
    return lambda slot: slot.write(slot.config, text)


def _and_text(text: str) -> Do:
    """The clean configuration with more lines."""
    return lambda slot: slot.edit(slot.config, lambda before: f"{before}{text}")


def _choice(section: str, **choices: Any) -> Do:
    return lambda slot: slot.choose(section, **choices)


def _limit(name: str, limit: Any) -> Do:
    return lambda slot: slot.choose("quality", limits={name: limit})


def _configuration() -> Iterator[Fault]:
    study = yaml.safe_dump({"study": {"baseline": "BL", "followup": "M24"}})
    faults: list[tuple[str, Do]] = [
        ("a key misspelled: `folowup`", _choice("study", folowup="M24")),
        ("a section misspelled: `enginse`", _and_text("enginse: {segmentation: embedded}\n")),
        ("a key at the top instead of in its section: `baseline`", _and_text("baseline: BL\n")),
        ("a number for a label: `followup: 24`", _choice("study", followup=24)),
        ("YAML's own reading of a label: `baseline: NO`", _with_text("study: {baseline: NO, followup: M24}\n")),
        ("a text for two numbers: `window_months: 18-30`", _choice("study", window_months="18-30")),
        ("a window the wrong way round: `[30, 18]`", _choice("study", window_months=[30, 18])),
        ("an engine that is not known: `segmentation: freesurfr`", _choice("engines", segmentation="freesurfr")),
        ("an engine whose program is not installed: `skull_strip: fsl`", _choice("engines", skull_strip="fsl")),
        ("a limit that nothing can keep: `noise_percent: {max: -1}`", _limit("noise_percent", {"max": -1})),
        ("a limit the wrong way round: `{min: 60, max: 28}`", _limit("gm_of_icv_percent", {"min": 60, "max": 28})),
        ("a limit of a metric that is not there: `noise`", _limit("noise", {"max": 8})),
        ("a limit with a wrong word: `{maximum: 8}`", _limit("noise_percent", {"maximum": 8})),
        ("a limit as text: `{max: '8'}`", _limit("noise_percent", {"max": "8"})),
        ("a limit with nothing in it: `{}`", _limit("noise_percent", {})),
        ("a negative number of days: `shortest_interval_days: -5`", _choice("quality", shortest_interval_days=-5)),
        ("no standard deviations: `outlier_z: 0`", _choice("quality", outlier_z=0)),
        ("a folder of lesion masks that is not there", _choice("study", lesions="derivatives/lesion")),
        ("a table of exclusions that is not there", _choice("study", exclusions="exclusion.tsv")),
        ("the same visit twice: baseline and follow-up `BL`", _choice("study", followup="BL")),
        ("a label that nobody has: `M12`", _choice("study", followup="M12")),
        ("a label in lower case: `m24`", _choice("study", followup="m24")),
        ("a follow-up named twice: `[M24, M24]`", _choice("study", followup=["M24", "M24"])),
        ("an outcome that is no column: `gm_change`", _choice("statistics", outcome="gm_change")),
        ("a dose column that is not there: `dosis`", _choice("statistics", dose_column="dosis")),
        ("a covariate that is not there: `Age`", _choice("statistics", covariates=["Age"])),
        ("a word for a list: `covariates: age`", _choice("statistics", covariates="age")),
        ("a column asked that is not there: `edss`", _choice("statistics", columns=["edss"])),
        ("YAML that cannot be read: a bracket left open", _with_text(f"{study}quality: {{limits: [\n")),
        ("a tab where YAML wants blanks", _with_text("study:\n\tbaseline: BL\n")),
        ("a section that stands twice", _with_text(f"{study}{study}")),
        ("a section without keys: `study:`", _with_text("study:\n")),
        ("a list instead of keys", _with_text("- study\n- engines\n")),
        ("no text at all: an image named as configuration", _with_text(bytes(range(256)) * 8)),
        ("saved with a byte-order mark and CRLF", _as_windows_config),
        ("the configuration file is not there", lambda slot: slot.config.unlink()),
        ("the data set is not there", lambda slot: shutil.rmtree(slot.bids)),
        ("the data set is an empty folder", _empty_data_set),
    ]
    return (Fault("configuration", what, do) for what, do in faults)


def _as_windows_config(slot: Slot) -> None:
    slot.edit(slot.config, lambda text: "\ufeff" + text.replace("\n", "\r\n"))


def _empty_data_set(slot: Slot) -> None:
    shutil.rmtree(slot.bids)
    slot.bids.mkdir()


def _table(change: Callable[[str], str]) -> Do:
    """participants.tsv, changed."""
    return lambda slot: slot.edit(slot.bids / "participants.tsv", change)


def _cell(participant: str, column: str, value: str) -> Do:
    """One cell of participants.tsv."""

    def change(text: str) -> str:
        header, *rows = (line.split("\t") for line in text.splitlines())
        for row in rows:
            if row[0] == participant:
                row[header.index(column)] = value
        return "\n".join("\t".join(row) for row in [header, *rows]) + "\n"

    return _table(change)


def _column(column: str, *values: str) -> Do:
    """A column of participants.tsv."""

    def change(text: str) -> str:
        header, *rows = (line.split("\t") for line in text.splitlines())
        for row, value in zip(rows, values, strict=True):
            row[header.index(column)] = value
        return "\n".join("\t".join(row) for row in [header, *rows]) + "\n"

    return _table(change)


def _without_row(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(LESIONED))


def _row_twice(dose: str) -> Do:
    return _table(lambda text: f"{text}{TARGET}\t40\tF\t{dose}\n")


def _encoded(encoding: str, change: Callable[[str], str] = str) -> Do:
    def do(slot: Slot) -> None:
        path = slot.bids / "participants.tsv"
        slot.write(path, change(path.read_text()).encode(encoding))

    return do


def _participants() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("a patient twice, with the same dose", _table(lambda text: text + text.splitlines()[1] + "\n")),
        ("a patient twice, with another dose", _row_twice("9.9")),
        ("IDs that match nobody: `P1` for `P01`", _table(lambda text: text.replace("sub-P0", "sub-P"))),
        ("IDs in lower case", _table(lambda text: text.replace("sub-P", "sub-p"))),
        ("IDs without `sub-`", _table(lambda text: text.replace("sub-", ""))),
        ("`SUB-` for `sub-`", _table(lambda text: text.replace("sub-", "SUB-"))),
        ("commas instead of tabs", _table(lambda text: text.replace("\t", ","))),
        ("semicolons instead of tabs", _table(lambda text: text.replace("\t", ";"))),
        ("a decimal comma in the dose", _table(lambda text: text.replace("0.7", "0,7").replace("1.4", "1,4"))),
        ("decimal commas in a covariate", _column("age", "40,5", "41,5", "42,5")),
        ("a byte-order mark", _encoded("utf-8-sig")),
        ("UTF-16, as spreadsheets write it", _encoded("utf-16")),
        ("CRLF line ends and quotes", _table(lambda text: text.replace("sub-P01", '"sub-P01"').replace("\n", "\r\n"))),
        ("Latin-1 with an umlaut", _encoded("latin-1", lambda text: text.replace("\tF", "\tweiblich-\xfc"))),
        ("a word for a dose", _cell(TARGET, "dose", "high")),
        ("a dose with its unit: `0.7 mg`", _cell(TARGET, "dose", "0.7 mg")),
        ("a word for an age", _cell(TARGET, "age", "forty")),
        ("a code for a missing dose: `-999`", _cell(TARGET, "dose", "-999")),
        ("a code for a missing age: `999`", _cell(TARGET, "age", "999")),
        ("a dose that is infinite", _cell(TARGET, "dose", "inf")),
        ("a dose left empty", _cell(TARGET, "dose", "")),
        ("groups spelled in two ways: `F` and `f`", _column("sex", "F", "f", "M")),
        ("the column of IDs called `ID`", _table(lambda text: text.replace("participant_id", "ID"))),
        ("the dose column called `Dose`", _table(lambda text: text.replace("dose", "Dose"))),
        ("two columns `dose`", _table(lambda text: text.replace("age", "dose"))),
        (
            "a row with a cell too many",
            _table(lambda text: text.replace("\tF", "\tF\tF", 1).replace("\tM", "\tM\tM", 1)),
        ),
        ("a patient without a row", _table(_without_row)),
        ("a patient without a folder", _table(lambda text: f"{text}sub-P09\t40\tF\t0.7\n")),
        ("header only", _table(lambda text: text.splitlines()[0] + "\n")),
        ("an empty file", lambda slot: slot.write(slot.bids / "participants.tsv", "")),
        ("a link without content", lambda slot: _dangle(slot.bids / "participants.tsv")),
        ("no participants.tsv", lambda slot: (slot.bids / "participants.tsv").unlink()),
    ]
    return (Fault("participants.tsv", what, do) for what, do in faults)


def _dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to(f"../.git/annex/objects/x/{path.name}")


def _days(baseline: str, followup: str) -> Do:
    return lambda slot: slot.write(
        _sessions_of(slot), f"session_id\tacq_time\nses-BL\t{baseline}\nses-M24\t{followup}\n"
    )


def _sessions_of(slot: Slot) -> Path:
    return slot.bids / TARGET / f"{TARGET}_sessions.tsv"


def _session_table(change: Callable[[str], str]) -> Do:
    return lambda slot: slot.edit(_sessions_of(slot), change)


def _sessions() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("dates the wrong way round", _days("2021-03-04", "2019-03-04")),
        ("both visits on one day", _days("2019-03-04", "2019-03-04")),
        ("a day that no calendar has", _days("2019-03-04", "2021-02-30")),
        ("day before month: `04/03/2021`", _days("2019-03-04", "04/03/2021")),
        ("two digits for the year: `21-03-04`", _days("2019-03-04", "21-03-04")),
        ("a spreadsheet's number of days: `44259`", _days("43528", "44259")),
        ("visits a month apart", _days("2019-03-04", "2019-04-04")),
        ("visits forty years apart", _days("1979-03-04", "2019-03-04")),
        ("a date in the future", _days("2019-03-04", "2221-03-04")),
        ("no date of the follow-up", _days("2019-03-04", "n/a")),
        ("a visit misspelled: `ses-24`", _session_table(lambda text: text.replace("ses-M24", "ses-24"))),
        ("a visit in lower case: `ses-m24`", _session_table(lambda text: text.replace("ses-M24", "ses-m24"))),
        ("a visit twice, with two dates", _session_table(lambda text: f"{text}ses-M24\t2020-03-04\n")),
        ("the column of dates called `date`", _session_table(lambda text: text.replace("acq_time", "date"))),
        ("commas instead of tabs", _session_table(lambda text: text.replace("\t", ","))),
        ("an empty file", lambda slot: slot.write(_sessions_of(slot), "")),
        ("no table of sessions", lambda slot: _sessions_of(slot).unlink()),
        ("another patient's table", lambda slot: _sessions_of(slot).rename(_sessions_of(slot).with_name("sub-P02_sessions.tsv"))),
    ]  # fmt: skip
    return (Fault("sessions.tsv", what, do) for what, do in faults)


def _exclude(*rows: str, header: str = EXCLUSIONS.splitlines()[0]) -> Do:
    return lambda slot: slot.write(slot.root / "exclusions.tsv", "\n".join([header, *rows]) + "\n")


def _other_tables() -> Iterator[Fault]:
    rest = "\tmotion\tA. Reader\t2024-05-02"
    faults: list[tuple[str, str, Do]] = [
        ("exclusions", "a patient that nobody is: `sub-P33`", _exclude(f"sub-P33\tn/a{rest}")),
        ("exclusions", "a visit that is not planned: `M12`", _exclude(f"{EXCLUDED}\tM12{rest}")),
        ("exclusions", "a visit in lower case: `m24`", _exclude(f"{EXCLUDED}\tm24{rest}")),
        ("exclusions", "a reason that is not known: `moved`", _exclude(f"{EXCLUDED}\tn/a\tmoved\tA. Reader\t2024-05-02")),
        ("exclusions", "nobody signed it", _exclude(f"{EXCLUDED}\tn/a\tmotion\t\t2024-05-02")),
        ("exclusions", "a date that is none", _exclude(f"{EXCLUDED}\tn/a\tmotion\tA. Reader\tMay 2024")),
        ("exclusions", "commas instead of tabs", lambda slot: slot.edit(slot.root / "exclusions.tsv", lambda text: text.replace("\t", ","))),
        ("exclusions", "a column is missing", _exclude(f"{EXCLUDED}\tn/a\tmotion", header="participant_id\tvisit\treason")),
        ("exclusions", "header only", _exclude()),
        ("exclusions", "an empty file", lambda slot: slot.write(slot.root / "exclusions.tsv", "")),
        ("table of dates", "dates of nobody", _dates(f"sub-P33\t{FOLLOWUP}\t2021-01-01")),
        ("table of dates", "a date that is none", _dates(f"{TARGET}\t{FOLLOWUP}\t2021-13-01")),
        ("table of dates", "another date than in sessions.tsv", _dates(f"{TARGET}\t{FOLLOWUP}\t2022-01-01")),
        ("table of dates", "header only", _dates()),
        ("phenotype", "a table that is not there", _choice("statistics", columns=[{"table": "csf", "column": "nfl"}])),
        ("phenotype", "a table of other patients", _phenotype("sub-X1\t1.5\nsub-X2\t2.5\n")),
        ("phenotype", "a patient twice", _phenotype("sub-P01\t1.5\nsub-P01\t2.5\nsub-P02\t3\n")),
        ("phenotype", "words for numbers", _phenotype("sub-P01\tlow\nsub-P02\thigh\n")),
    ]  # fmt: skip
    return (Fault(group, what, do) for group, what, do in faults)


def _dates(*rows: str) -> Do:
    def do(slot: Slot) -> None:
        slot.write(slot.root / "dates.tsv", "\n".join(["participant_id\tvisit\tdate", *rows]) + "\n")
        slot.choose("study", dates="dates.tsv")

    return do


def _phenotype(rows: str) -> Do:
    def do(slot: Slot) -> None:
        slot.write(slot.bids / "phenotype" / "csf.tsv", f"participant_id\tnfl\n{rows}")
        slot.choose("statistics", columns=[{"table": "csf", "column": "nfl"}])

    return do


def _named(name: str) -> Do:
    """The target's follow-up under another name in its folder."""
    return lambda slot: _move(slot.t1w(), slot.t1w().with_name(name))


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def _folder(*parts: str) -> Path:
    return Path(*parts)


def _beside(name: str) -> Do:
    """A second scan beside the target's follow-up: another patient's, so that it matters which is taken."""
    return lambda slot: slot.write(slot.t1w().with_name(name), slot.t1w(participant=EXCLUDED).read_bytes())


def _sidecar(name: str, text: str) -> Do:
    return lambda slot: slot.write(slot.t1w().with_name(name), text)


def _both_sidecars(before: str, after: str) -> Do:
    def do(slot: Slot) -> None:
        for visit, text in (("BL", before), ("M24", after)):
            slot.write(slot.t1w(visit).with_name(f"{TARGET}_ses-{visit}_T1w.json"), text)

    return do


def _layout() -> Iterator[Fault]:
    stem = f"{TARGET}_ses-{FOLLOWUP}"
    faults: list[tuple[str, Do]] = [
        ("no folder of the follow-up", lambda slot: shutil.rmtree(slot.t1w().parents[1])),
        ("an empty folder of the follow-up", lambda slot: slot.t1w().unlink()),
        ("two T1w scans, two runs", _beside(f"{stem}_run-2_T1w.nii.gz")),
        ("two T1w scans, `.nii` and `.nii.gz`", lambda slot: slot.write(slot.t1w().with_suffix(""), b"x")),
        ("a scan after contrast agent only", _named(f"{stem}_ce-gad_T1w.nii.gz")),
        ("another acquisition at the follow-up", _named(f"{stem}_acq-space_T1w.nii.gz")),
        ("a processed scan only: `desc-preproc`", _named(f"{stem}_desc-preproc_T1w.nii.gz")),
        ("`T1W` for `T1w`", _named(f"{stem}_T1W.nii.gz")),
        ("`t1w` for `T1w`", _named(f"{stem}_t1w.nii.gz")),
        ("`T1w_1` as converters write it", _named(f"{stem}_T1w_1.nii.gz")),
        ("the name without the visit", _named(f"{TARGET}_T1w.nii.gz")),
        ("the name without the patient", _named(f"ses-{FOLLOWUP}_T1w.nii.gz")),
        ("another patient in the name", _named(f"sub-P11_ses-{FOLLOWUP}_T1w.nii.gz")),
        ("the other visit in the name", _named(f"{TARGET}_ses-BL_T1w.nii.gz")),
        ("lower case in the name: `sub-p01`", _named(f"sub-p01_ses-{FOLLOWUP}_T1w.nii.gz")),
        ("a wrong ending: `.img`", _named(f"{stem}_T1w.img")),
        ("a wrong ending: `.nii.gz.gz`", _named(f"{stem}_T1w.nii.gz.gz")),
        ("a folder `Anat`", lambda slot: slot.t1w().parent.rename(slot.t1w().parents[1] / "Anat")),
        ("a folder `ses-m24`", lambda slot: slot.t1w().parents[1].rename(slot.bids / TARGET / "ses-m24")),
        ("a folder `M24`", lambda slot: slot.t1w().parents[1].rename(slot.bids / TARGET / "M24")),
        ("a folder `sub_P01`", lambda slot: (slot.bids / TARGET).rename(slot.bids / "sub_P01")),
        ("a folder `sub-p01`", lambda slot: (slot.bids / TARGET).rename(slot.bids / "sub-p01")),
        ("a folder `sub-P01 copy` beside", lambda slot: shutil.copytree(slot.bids / TARGET, slot.bids / f"{TARGET} copy")),
        ("no `anat` folder: scans lie in the visit's", lambda slot: slot.t1w().rename(slot.t1w().parents[1] / slot.t1w().name)),
        ("a folder named as the scan", _scan_is_folder),
        ("a link without content", lambda slot: _dangle(slot.t1w())),
        ("a link to itself", _loop),
        ("a sidecar that cannot be read", _sidecar(f"{stem}_T1w.json", '{"EchoTime": 0.003,')),
        ("a sidecar that is a list", _sidecar(f"{stem}_T1w.json", "[1, 2]")),
        ("a sidecar with a key twice", _sidecar(f"{stem}_T1w.json", '{"EchoTime": 0.003, "EchoTime": 0.09}')),
        ("a sidecar on another file's name", _sidecar(f"{stem}_run-1_T1w.json", '{"EchoTime": 0.09}')),
        ("sidecars: another scanner at the follow-up", _both_sidecars('{"Manufacturer": "A"}', '{"Manufacturer": "B"}')),
        ("sidecars: 1.5 T, then 3 T", _both_sidecars('{"MagneticFieldStrength": 1.5}', '{"MagneticFieldStrength": 3}')),
        ("sidecars: another echo time", _both_sidecars('{"EchoTime": 0.003}', '{"EchoTime": 0.09}')),
        ("sidecars: milliseconds at one visit", _both_sidecars('{"EchoTime": 0.003}', '{"EchoTime": 3}')),
        ("sidecars: an echo time that no number can be", _both_sidecars('{"EchoTime": 0.003}', '{"EchoTime": 1e999}')),
        ("sidecars: a negative field strength", _both_sidecars('{"MagneticFieldStrength": 3}', '{"MagneticFieldStrength": -3}')),
        ("a file without a byte", lambda slot: slot.write(slot.t1w(), b"")),
        ("sidecars: numbers as text", _both_sidecars('{"EchoTime": "0.003"}', '{"EchoTime": "0.09"}')),
        ("sidecars: a date before the baseline's table", _both_sidecars("{}", '{"AcquisitionDateTime": "1999-01-01T10:00:00"}')),
    ]  # fmt: skip
    yield from (Fault("layout", what, do) for what, do in faults)
    masks: list[tuple[str, Do]] = [
        ("no mask at one visit", lambda slot: slot.mask().unlink()),
        ("a mask without `label-lesion`", lambda slot: slot.mask().rename(slot.mask().with_name(f"{LESIONED}_ses-M24_mask.nii.gz"))),
        ("masks of another study: no name fits", lambda slot: (slot.bids / "derivatives/lesions" / LESIONED).rename(slot.bids / "derivatives/lesions/sub-Q02")),
        ("a mask that is a link without content", lambda slot: _dangle(slot.mask())),
        ("two masks at one visit", lambda slot: slot.write(slot.mask().with_name(f"{LESIONED}_ses-M24_label-lesion_roi.nii.gz"), slot.mask().read_bytes())),
    ]  # fmt: skip
    yield from (Fault("lesion masks", what, do, who=LESIONED) for what, do in masks)


def _scan_is_folder(slot: Slot) -> None:
    slot.t1w().unlink()
    slot.t1w().mkdir()


def _loop(slot: Slot) -> None:
    slot.t1w().unlink()
    slot.t1w().symlink_to(slot.t1w().name)


def _files() -> Iterator[Fault]:
    faults: list[tuple[str, Do]] = [
        ("an empty file", lambda slot: slot.write(slot.t1w(), b"")),
        ("a git-annex pointer", lambda slot: slot.write(slot.t1w(), "/annex/objects/MD5E-s123--abc.nii.gz\n")),
        ("a Git LFS pointer", lambda slot: slot.write(slot.t1w(), "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")),
        ("a web page, saved as the scan", lambda slot: slot.write(slot.t1w(), "<html>Please log in</html>\n")),
        ("`.gz` that is not compressed", lambda slot: slot.write(slot.t1w(), gzip.decompress(slot.t1w().read_bytes()))),
        ("compressed twice", lambda slot: slot.write(slot.t1w(), gzip.compress(slot.t1w().read_bytes()))),
        ("compressed, but named `.nii`", _compressed_as_nii),
        ("cut off in the middle", lambda slot: slot.write(slot.t1w(), slot.t1w().read_bytes()[:700_000])),
        ("cut off in the last four bytes", lambda slot: slot.write(slot.t1w(), slot.t1w().read_bytes()[:-4])),
        ("cut off, uncompressed", _cut_nii),
        ("one byte changed in the middle", _flip),
        ("a DICOM file under the name", lambda slot: slot.write(slot.t1w(), b"\0" * 128 + b"DICM" + b"\0" * 4096)),
        ("an `.mgz` renamed", lambda slot: slot.write(slot.t1w(), gzip.compress(b"\0\0\0\1" + b"\0\0\1\0" * 4 + b"\0" * 8192))),
    ]  # fmt: skip
    return (Fault("files", what, do, how="deep") for what, do in faults)


def _compressed_as_nii(slot: Slot) -> None:
    slot.t1w().rename(slot.t1w().with_suffix(""))


def _cut_nii(slot: Slot) -> None:
    whole = gzip.decompress(slot.t1w().read_bytes())
    slot.t1w().unlink()
    slot.write(slot.t1w().with_suffix(""), whole[: len(whole) // 2])


def _flip(slot: Slot) -> None:
    content = bytearray(slot.t1w().read_bytes())
    content[len(content) // 2] ^= 1
    slot.write(slot.t1w(), bytes(content))
