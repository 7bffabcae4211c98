"""What Graytrace says to each of many faults of a study: a mutation run whose table stands in docs/faults.md.

    python benchmarks/faults.py [--work DIR] [--cores 2] [--voxel-mm 2] [--only REGEX] [--resume] [--list]

Makes a small phantom study, measures it, then puts one fault at a time into a copy of it, calls what a user would call
and compares with the study without the fault:

- told: refused with a sentence, or the row has a status, a reason or a flag that it did not have;
- the same: nothing to tell, every number and choice is that of the study without the fault;
- within the error: measured, and the change differs by less than its own standard error;
- SILENT: another number, or a choice dropped, and not a word about it;
- TRACEBACK: Python's own words reached the user.

Renews docs/faults.md with all outcomes that there are, each with the commit of the code that was run, and tells how
many faults have none yet; `--only` tries those whose names a regular expression finds, `--resume` leaves out those that
have an outcome. The exit code is 1 when one is silent. Run it in a clone, so that nobody changes the code under it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import faults_of_images
import faults_of_intensities
import faults_of_results
import faults_of_tables
from fault_study import (
    ROOT,
    Fault,
    Said,
    Slot,
    check_study,
    graytrace,
    make_clean,
    restore,
    run_study,
)
from run import commit, renew_document

from graytrace.errors import PipelineError
from graytrace.study import questions
from graytrace.study.config import load_config, merge_configs, read_config
from graytrace.study.plan import plan_study
from graytrace.workflow.project import DEFAULTS

DOCUMENT = ROOT / "docs" / "faults.md"
MARK = "faults"
SHOWN = 260
# lines of the check that count, whatever is wrong
_COUNTS = re.compile(r"\d+ patients?.* planned|\d+ x |Nothing needs a hand|patient\tvisit\twhat")
_COMPARED = ("gm_change_percent", "gm_volume_baseline_ml", "gm_volume_followup_ml", "gm_change_percent_per_year")
_VOLUME_PART = 0.02  # of a volume: what noise and another position do to it
WORDS = {
    "told": "told",
    "same": "the same",
    "within": "within the error",
    "silent": "**SILENT**",
    "traceback": "**TRACEBACK**",
}
Outcome = dict[str, str]
Row = Mapping[str, str]


def list_faults() -> list[Fault]:
    """Every fault, the cheap ones first."""
    groups = (faults_of_tables, faults_of_images, faults_of_intensities, faults_of_results)
    return [fault for group in groups for fault in group.list_faults()]


def state_of(slot: Slot) -> Any:
    """All that the configuration, the tables and the layout decide, as far as it can be told before measuring."""
    try:
        files = [DEFAULTS, slot.config]
        content = merge_configs(read_config(DEFAULTS), read_config(slot.config))
        config = load_config(merge_configs(content, {"study": {"bids_dir": str(slot.bids)}}), files)
        plan = plan_study(config)
        pairs = [(pair.participant_id, pair.status, pair.interval_days) for pair in plan.pairs]
        predictors = [(one.name, dict(one.values), one.note) for one in questions.read_predictors(config)]
        covariates = questions.read_covariates(config, plan.participants)
    except PipelineError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the command's own words are judged
        return repr(error)
    return [config.as_dict(), plan.table(), pairs, predictors, covariates]


def read_rows(path: Path) -> dict[str, Row]:
    """Rows of atrophy.tsv by patient."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {row["participant_id"]: row for row in csv.DictReader(file, delimiter="\t")}


def judge_check(fault: Fault, slot: Slot, clean: Said, clean_state: Any) -> Outcome:
    """What ``graytrace check`` says that it does not say of the clean study."""
    said = check_study(slot, deep=fault.how == "deep")
    lines = _own_lines(said, slot)
    new = [line for line in lines if line not in _own_lines(clean, slot) and not _COUNTS.match(line)]
    if said.has_traceback:
        return _outcome("traceback", lines[-1])
    if said.code:
        started = graytrace(
            slot, "run", slot.bids, slot.results, "participant", "--config", slot.config, "--", "--dry-run", "--quiet"
        )
        if started.has_traceback:
            return _outcome("traceback", f"run: {_own_lines(started, slot)[-1]}")
        if not started.code:
            return _outcome("silent", f"check: {' '.join(lines)}; but the run starts")
        return _outcome("told", " ".join(lines))
    if new:
        mine = [line for line in new if line.startswith(f"{fault.who}\t")]
        return _outcome("told", " ".join((mine or new)[:2]).replace("\t", " · "))
    is_same = state_of(slot) == clean_state
    return _outcome("same" if is_same else "silent", "nothing")


def _own_lines(said: Said, slot: Slot) -> list[str]:
    text = said.text.replace(f"{slot.root}/", "").replace(str(slot.root), "the study")
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def judge_run(fault: Fault, slot: Slot, said: Said, clean: Mapping[str, Row]) -> Outcome:
    """What a patient's row says that it does not say in the clean study."""
    rows = read_rows(slot.results / "atrophy.tsv")
    lines = _own_lines(said, slot)
    if said.has_traceback:
        return _outcome("traceback", " ".join(lines[-2:]))
    lost = sorted(set(clean) - set(rows))
    if lost:
        refused = next((line for line in lines if line.startswith(("Graytrace:", "run:"))), None)
        return (
            _outcome("told", refused) if said.code and refused else _outcome("silent", f"no row of {', '.join(lost)}")
        )
    words = []
    verdicts = []
    for name, before in clean.items():
        verdict, text = _judge_row(before, rows[name])
        if name == fault.who or verdict in {"told", "silent"}:
            verdicts.append(verdict)
            words.append(text if name == fault.who else f"{name}: {text}")
    if said.code and "told" not in verdicts:
        words.append(lines[-1])
        verdicts.append("told")
    order = ("silent", "told", "within", "same")
    return _outcome(next(verdict for verdict in order if verdict in verdicts), "; ".join(words))


def _judge_row(before: Row, after: Row) -> tuple[str, str]:
    """One row beside the same row of the clean study."""
    flags = [flag for flag in _flags(after) if flag not in _flags(before)]
    difference = _difference(before, after)
    if after["status"] not in {"ok", "flagged"}:
        told = after["reason"] != before["reason"]
        return ("told" if told else "same"), f"{after['status']}: {after['reason']}"
    moved = "" if difference is None else f"; change moves by {difference:+.2f} points"
    if flags:
        return "told", f"{after['status']}: {', '.join(flags)}{moved}"
    if all(before[column] == after[column] for column in _COMPARED):
        return "same", f"{after['status']}, every number the same"
    error = max(_number(after, "gm_change_se_points") or 0, _number(before, "gm_change_se_points") or 0)
    volumes = [_part(before, after, f"gm_volume_{visit}_ml") for visit in ("baseline", "followup")]
    volume_words = f", volumes by {', '.join(f'{100 * part:+.1f} %' for part in volumes)}"
    is_near = difference is not None and abs(difference) <= error and max(map(abs, volumes)) <= _VOLUME_PART
    return ("within" if is_near else "silent"), f"{after['status']}, no new flag{moved}{volume_words}"


def _flags(row: Row) -> list[str]:
    return [] if row["flags"] == "n/a" else row["flags"].split("; ")


def _number(row: Row, column: str) -> float | None:
    return None if row[column] == "n/a" else float(row[column])


def _difference(before: Row, after: Row) -> float | None:
    first, second = _number(before, "gm_change_percent"), _number(after, "gm_change_percent")
    return None if first is None or second is None else second - first


def _part(before: Row, after: Row, column: str) -> float:
    first, second = _number(before, column), _number(after, column)
    return 0.0 if not first or second is None else second / first - 1


def _outcome(verdict: str, said: str) -> Outcome:
    return {"verdict": verdict, "said": " ".join(said.split())}


def try_faults(work: Path, faults: Sequence[Fault], *, cores: int, resume: bool) -> dict[str, Outcome]:
    """Put each fault into a clean study of its own, one for each core; the outcomes of all so far."""
    slots: Queue[int] = Queue()
    clean: dict[int, Clean] = {}
    for number in range(1, cores + 1):
        slot = restore(work, number)
        said = {how: check_study(slot, deep=how == "deep") for how in ("check", "deep")}
        clean[number] = Clean(state_of(slot), said, read_rows(slot.results / "atrophy.tsv"))
        slots.put(number)
    kept = work / "outcomes.json"
    outcomes: dict[str, Outcome] = json.loads(kept.read_text()) if kept.exists() else {}
    todo = [fault for fault in faults if not (resume and key_of(fault) in outcomes)]
    measured_at = commit()

    def try_one(fault: Fault) -> tuple[Fault, Outcome, float]:
        number = slots.get()
        start = time.monotonic()
        try:
            outcome = _try(fault, restore(work, number), clean[number])
        finally:
            slots.put(number)
        return fault, {**outcome, "commit": measured_at}, time.monotonic() - start

    with ThreadPoolExecutor(cores) as pool:
        for done, future in enumerate(as_completed([pool.submit(try_one, fault) for fault in todo]), start=1):
            fault, outcome, seconds = future.result()
            outcomes[key_of(fault)] = outcome
            kept.write_text(json.dumps(outcomes, indent=1))
            print(
                f"[{done}/{len(todo)}] {key_of(fault)} ({seconds:.0f} s): {outcome['verdict'].upper()}: "
                f"{outcome['said'][:SHOWN]}",
                flush=True,
            )
    return outcomes


@dataclass(frozen=True)
class Clean:
    """What is known, said and measured of the study without a fault."""

    state: Any
    said: Mapping[str, Said]
    rows: Mapping[str, Row]


def _try(fault: Fault, slot: Slot, clean: Clean) -> Outcome:
    fault.do(slot)
    if fault.how == "run":
        return judge_run(fault, slot, run_study(slot, 1), clean.rows)
    return judge_check(fault, slot, clean.said[fault.how], clean.state)


def key_of(fault: Fault) -> str:
    """A fault's name."""
    return f"{fault.group}: {fault.what}"


def write_table(faults: Sequence[Fault], outcomes: Mapping[str, Outcome], voxel_mm: float) -> str:
    """The part of docs/faults.md between its marks; what was not tried is told."""
    tried = [fault for fault in faults if key_of(fault) in outcomes]
    counts = Counter(outcomes[key_of(fault)]["verdict"] for fault in tried)
    words = ", ".join(f"{counts[verdict]} {text}" for verdict, text in WORDS.items() if counts[verdict])
    rest = len(faults) - len(tried)
    parts = [
        f"`python benchmarks/faults.py`, phantoms of {voxel_mm:g} mm: {len(faults)} faults; {words}"
        + (f"; {rest} not tried yet." if rest else ".")
    ]
    called = {"check": "graytrace check", "deep": "graytrace check --deep", "run": "the whole workflow"}
    for group, how in dict.fromkeys((fault.group, fault.how) for fault in faults):
        own = [fault for fault in faults if (fault.group, fault.how) == (group, how)]
        found = [outcomes[key_of(fault)]["commit"] for fault in own if key_of(fault) in outcomes]
        commits = ", ".join(f"`{name}`" for name in dict.fromkeys(found)) or "none"
        parts += [
            f"\n### {group[0].upper()}{group[1:]} ({called[how]})\n",
            f"Commit of the code that was run: {commits}.\n",
            "| what was wrong | what was said | |",
            "| --- | --- | --- |",
        ]
        for fault in own:
            outcome = outcomes.get(key_of(fault), {"verdict": "untried", "said": ""})
            said, verdict = _cell(_short(outcome["said"])), WORDS.get(outcome["verdict"], "not tried")
            parts.append(f"| {_cell(fault.what)} | {said} | {verdict} |")
    return "\n".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN].rsplit(' ', 1)[0]} …"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Try the faults, renew the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "bench-work" / "faults")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="faults that are tried at once")
    parser.add_argument("--voxel-mm", type=float, default=2.0)
    parser.add_argument("--only", metavar="REGEX", help="faults whose group or name this finds")
    parser.add_argument("--resume", action="store_true", help="leave out what has an outcome in the work folder")
    parser.add_argument("--list", action="store_true", help="only name the faults")
    args = parser.parse_args()
    faults = list_faults()
    chosen = [fault for fault in faults if not args.only or re.search(args.only, key_of(fault))]
    if args.list:
        print("\n".join(map(key_of, chosen)))
        return 0
    work = args.work.resolve()
    make_clean(work, args.cores, voxel_mm=args.voxel_mm)
    outcomes = try_faults(work, chosen, cores=args.cores, resume=args.resume)
    renew_document(DOCUMENT, MARK, write_table(faults, outcomes, args.voxel_mm))
    wrong = [key_of(fault) for fault in chosen if outcomes[key_of(fault)]["verdict"] in {"silent", "traceback"}]
    for name in wrong:
        print(f"{outcomes[name]['verdict'].upper()}: {name}: {outcomes[name]['said']}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
