"""`graytrace review`, `unblind`, `audit` and `lock` on a folder of results, as people call them."""

import os

import pytest

from graytrace.cli import main
from graytrace.results.review import REVIEW_NAME
from graytrace.study.blinding import keep_key, make_codes
from graytrace.workflow.audit_trail import HEAD_NAME, RUN_ENDED, RUN_STARTED, TRAIL_NAME, append_entry, read_trail
from graytrace.workflow.inventory import take_results

NAMES = ["sub-01", "sub-02", "sub-03"]


@pytest.fixture
def results(tmp_path):
    """Three patients with two scans and their pictures, a fourth with one scan."""
    rows = ["participant_id\tvisit\tkind\tstatus"]
    for name in [*NAMES, "sub-04"]:
        for visit in ("BL", "M24"):
            rows.append(f"{name}\t{visit}\tscan\t{'missing' if (name, visit) == ('sub-04', 'M24') else 'ok'}")
            path = tmp_path / name / "figures" / f"{name}_ses-{visit}_desc-borders_T1w.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (tmp_path / "quality.tsv").write_text("\n".join(rows) + "\n")
    configuration = {"configuration": {"study.blind": "true"}}
    append_entry(tmp_path, RUN_STARTED, configuration)
    append_entry(tmp_path, RUN_ENDED, {"results": take_results(tmp_path)})
    return tmp_path


@pytest.fixture
def blinded(results):
    codes = make_codes(keep_key(results), [*NAMES, "sub-04"])
    return results, sorted(codes[name] for name in NAMES)


def fill(path, verdicts):
    """Fill the file: reader and place to a verdict; the rest is accepted."""
    lines = path.read_text().splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    for row in rows:
        verdict = verdicts.get((row[0], row[1]), "accept")
        row[2:] = [verdict, "n/a" if verdict == "accept" else "mask leaves the brain", "2026-03-04"]
    path.write_text("\n".join([lines[0], *("\t".join(row) for row in rows)]) + "\n")


def test_the_template_names_codes_only_and_is_written_down(blinded, capsys):
    folder, codes = blinded
    assert main(["review", str(folder), "--readers", "R1", "R2"]) == 0
    text = (folder / REVIEW_NAME).read_text()
    assert "sub-" not in text
    assert [line.split("\t")[1] for line in text.splitlines()[1:4]] == codes
    assert "R1: 0 of 3 judged" in capsys.readouterr().out
    assert read_trail(folder).entries[-1].event == "review read"


def test_in_a_study_that_is_not_blinded_patients_are_named(results):
    assert main(["review", str(results), "--readers", "R1", "R2"]) == 0
    text = (results / REVIEW_NAME).read_text()
    assert all(text.count(name) == 2 for name in NAMES)
    assert "sub-04" not in text


def test_agreement_and_disagreements_are_printed_and_reading_twice_adds_no_entry(blinded, capsys):
    folder, codes = blinded
    main(["review", str(folder), "--readers", "R1", "R2"])
    fill(folder / REVIEW_NAME, {("R1", codes[0]): "reject", ("R2", codes[0]): "reject", ("R2", codes[1]): "doubt"})
    assert main(["review", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "R1: 3 of 3 judged (2 accept, 1 reject)" in said
    assert "Every verdict is there." in said
    assert "the same verdict on 2 of 3: Cohen's kappa 0.50" in said
    assert f"  {codes[1]}: R1 accept, R2 doubt (mask leaves the brain)" in said
    entries = len(read_trail(folder).entries)
    main(["review", str(folder)])
    assert len(read_trail(folder).entries) == entries


def test_files_that_readers_filled_apart_are_taken_in(blinded, tmp_path, capsys):
    folder, codes = blinded
    main(["review", str(folder), "--readers", "R1", "R2"])
    head, *rows = (folder / REVIEW_NAME).read_text().splitlines()
    for reader in ("R1", "R2"):
        own = tmp_path / f"{reader}.tsv"
        own.write_text("\n".join([head, *(row for row in rows if row.startswith(reader))]) + "\n")
        fill(own, {})
    assert main(["review", str(folder), "--take", str(tmp_path / "R1.tsv"), str(tmp_path / "R2.tsv")]) == 0
    assert "Every verdict is there." in capsys.readouterr().out
    assert len((folder / REVIEW_NAME).read_text().splitlines()) == 1 + 2 * len(codes)


def test_a_fault_is_told_and_nothing_is_written(blinded, capsys):
    folder, codes = blinded
    main(["review", str(folder), "--readers", "R1", "R2"])
    fill(folder / REVIEW_NAME, {("R1", codes[0]): "perfect"})
    before = (folder / REVIEW_NAME).read_bytes(), len(read_trail(folder).entries)
    assert main(["review", str(folder), "--readers", "R3"]) == 1
    assert "line 2: verdict 'perfect' is not one of accept, doubt, reject" in capsys.readouterr().err
    assert ((folder / REVIEW_NAME).read_bytes(), len(read_trail(folder).entries)) == before


def test_without_a_file_or_a_run_it_is_said_what_to_do(blinded, tmp_path, capsys):
    assert main(["review", str(blinded[0])]) == 1
    assert "--readers R1 R2" in capsys.readouterr().err
    assert main(["review", str(tmp_path / "nowhere")]) == 1
    assert "has no quality.tsv" in capsys.readouterr().err


def test_unblinding_is_refused_until_both_readers_have_judged_everybody(blinded, capsys):
    folder, codes = blinded
    assert main(["unblind", str(folder), "--why", "done"]) == 1
    assert "6 verdicts of two readers are not in" in capsys.readouterr().err
    main(["review", str(folder), "--readers", "R1"])
    fill(folder / REVIEW_NAME, {})
    assert main(["unblind", str(folder), "--why", "done"]) == 1
    assert (
        f"3 verdicts of two readers are not in {folder / REVIEW_NAME}: reader 2 on {codes[0]}"
        in capsys.readouterr().err
    )
    main(["review", str(folder), "--readers", "R2"])
    fill(folder / REVIEW_NAME, {})
    assert main(["unblind", str(folder), "--why", "  all   read "]) == 0
    entry = read_trail(folder).entries[-1]
    assert entry.content["details"] == {"why": "all read", "verdicts_missing": 0, "forced": False}
    assert entry.content["user"]
    assert read_trail(folder).is_unblinded
    assert main(["unblind", str(folder), "--why", "again"]) == 1
    assert "was unblinded already" in capsys.readouterr().err


def test_where_nobody_can_be_read_no_verdict_is_asked_for(blinded, capsys):
    folder, _ = blinded
    (folder / "quality.tsv").write_text("participant_id\tvisit\tkind\tstatus\nsub-01\tBL\tscan\tok\n")
    assert main(["review", str(folder), "--readers", "R1", "R2"]) == 1
    assert "nobody has two measured scans" in capsys.readouterr().err
    assert main(["unblind", str(folder), "--why", "nobody was measured"]) == 0


@pytest.mark.parametrize("command", [["pages"], ["export", "--sdtm"]])
def test_what_names_patients_is_refused_while_a_study_is_blinded(blinded, tmp_path, capsys, command):
    out = [str(tmp_path / "out")] if command[0] == "export" else []
    assert main([*command, str(blinded[0]), *out]) == 1
    assert "is blinded, and this names patients" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.pdf"))
    assert not (tmp_path / "out").exists()


def test_forced_unblinding_is_written_down_as_that(blinded):
    folder, _ = blinded
    assert main(["unblind", str(folder), "--why", "safety", "--force"]) == 0
    assert read_trail(folder).entries[-1].content["details"] == {"why": "safety", "verdicts_missing": 6, "forced": True}


def test_a_reason_is_needed_and_something_blinded(blinded, tmp_path, capsys):
    assert main(["unblind", str(blinded[0]), "--why", " "]) == 1
    assert "a reason is needed" in capsys.readouterr().err
    assert main(["unblind", str(tmp_path / "nowhere"), "--why", "x"]) == 1
    assert "nothing was blinded there" in capsys.readouterr().err


def test_audit_prints_the_chain_and_says_that_it_holds(results, capsys):
    assert main(["audit", str(results)]) == 0
    said = capsys.readouterr().out
    assert "1  20" in said
    assert "run started  by" in said
    assert f"on {os.uname().nodename}" in said
    assert "2 entries; the chain holds." in said


def test_a_digest_that_was_kept_elsewhere_is_looked_for(results, capsys):
    kept = read_trail(results).entries[0].sha256
    assert main(["audit", str(results), "--head", kept]) == 0
    (results / TRAIL_NAME).unlink()
    (results / HEAD_NAME).unlink()
    append_entry(results, RUN_STARTED)  # a chain written anew, which holds in itself
    assert main(["audit", str(results)]) == 0
    assert main(["audit", str(results), "--head", kept]) == 1
    assert "the chain was written anew, or cut off" in capsys.readouterr().err


def test_a_result_that_was_changed_since_is_told(results, capsys):
    (results / "quality.tsv").write_text("changed\n")
    assert main(["audit", str(results)]) == 0
    said = capsys.readouterr().out
    assert "Since the last entry, by nobody who is written down here:" in said
    assert "result quality.tsv: " in said


def test_what_a_trail_tells_cannot_move_the_terminals_cursor(results, capsys):
    append_entry(results, RUN_STARTED, {"data": {"a\x1b[2Jb\nc.nii.gz": "00"}})
    assert main(["audit", str(results)]) == 0
    said = capsys.readouterr().out
    assert "file added: a?[2Jb?c.nii.gz" in said
    assert "\x1b" not in said


def test_a_folder_without_a_trail_is_refused(tmp_path, capsys):
    assert main(["audit", str(tmp_path)]) == 1
    assert "has no audit.jsonl" in capsys.readouterr().err
