"""``graytrace lock``: write down what a study is to be before anybody looks at its results."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from graytrace.engines.registry import check_engines
from graytrace.errors import ConfigError
from graytrace.files import file_sha256
from graytrace.study import questions
from graytrace.study.config import Config
from graytrace.study.plan import plan_study
from graytrace.workflow.audit_trail import PLAN_LOCKED, append_entry, check_why, name_host, name_user, read_trail
from graytrace.workflow.choices import load_choices
from graytrace.workflow.freshness import code_of_steps
from graytrace.workflow.inventory import Digests, take_inventory
from graytrace.workflow.locked_plan import (
    PLAN_NAME,
    LockedPlan,
    Secret,
    digest_path,
    read_plan,
    read_secret,
    signature_path,
    write_plan,
)
from graytrace.workflow.oversight import check_blinding, describe_end

PASSPHRASE_VARIABLE = "GRAYTRACE_PASSPHRASE"  # noqa: S105 - the variable's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("bids_dir", nargs="?", type=Path, metavar="BIDS_DIR", help="the data set, as for graytrace run")
    parser.add_argument("output_dir", nargs="?", type=Path, metavar="OUTPUT_DIR", help="folder of the results, too")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the study's choices, as config.yaml has them")
    parser.add_argument("--blind", action="store_true", help="the study is to be run with --blind")
    parser.add_argument("--output", type=Path, metavar="FILE", help=f"the plan (default: OUTPUT_DIR/{PLAN_NAME})")
    add_secret_arguments(parser)
    parser.add_argument("--replace", action="store_true", help="lock anew where a plan is locked already; needs --why")
    parser.add_argument("--why", metavar="TEXT", help="why it is replaced, for audit.jsonl")


def add_secret_arguments(parser: argparse.ArgumentParser) -> None:
    """What a plan is signed or checked with."""
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--key-file", type=Path, metavar="FILE", help="sign with HMAC-SHA256 and this file's bytes")
    secret.add_argument(
        "--passphrase",
        action="store_true",
        help=f"sign with HMAC-SHA256 and a passphrase, asked for on the terminal (or in {PASSPHRASE_VARIABLE})",
    )


def secret_of(args: argparse.Namespace) -> Secret | None:
    """The secret that the command line names; None without one.

    Raises
    ------
    ConfigError
        It cannot be had, or is too short.
    """
    passphrase = os.environ.get(PASSPHRASE_VARIABLE) if args.passphrase else None
    if args.passphrase and not passphrase:
        try:
            passphrase = getpass.getpass("Passphrase: ")
        except EOFError as error:
            raise ConfigError(f"--passphrase: nothing was typed, and {PASSPHRASE_VARIABLE} is not set.") from error
    return read_secret(args.key_file, passphrase)


def run(args: argparse.Namespace) -> None:
    """Write the plan, its signature files and an entry of the audit trail.

    Raises
    ------
    ConfigError
        The study cannot be planned, or a plan is locked already.
    """
    config = _read_choices(args)
    check_engines(config.engines, config.suites)
    questions.check_questions(config)
    plan = plan_study(config)
    folder = config.output_dir
    check_blinding(config, read_trail(folder))
    path: Path = (args.output or folder / PLAN_NAME).absolute()
    before = _find_before(path, replaces=args.replace)
    why = check_why(args.why) if args.replace else None
    secret = secret_of(args)
    locked = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "user": name_user(),
        "host": name_host(),
        **({"replaces": before, "why": why} if why else {}),
        "patients": len(plan.participants),
    }
    inventory = take_inventory(config, plan, code_of_steps(config), Digests())
    written = write_plan(path, inventory, locked, secret)
    details = {"plan": written.sha256, "path": str(path), **({"why": why, "replaces": before} if why else {})}
    entry = append_entry(folder, PLAN_LOCKED, inventory, details) if path == folder / PLAN_NAME else None
    lines = [plan.summary(), *_describe(written, secret)]
    lines += [describe_end(entry)] if entry else [f"Name it in the configuration: study.plan_lock: {path}"]
    sys.stdout.write("\n".join(lines) + "\n")


def _read_choices(args: argparse.Namespace) -> Config:
    """The configuration as a run would have it."""
    named = {name: getattr(args, name) for name in ("bids_dir", "output_dir")}
    study: dict[str, object] = {name: str(path.absolute()) for name, path in named.items() if path is not None}
    if args.blind:
        study["blind"] = True
    return load_choices(args.config, study)


def _find_before(path: Path, *, replaces: bool) -> str | None:
    """Digest of the plan that is locked already.

    Raises
    ------
    ConfigError
        There is one, and it is not to be replaced.
    """
    if not path.is_file():
        return None
    before = read_plan(path) if not replaces else None
    if before is not None:
        raise ConfigError(
            f"{path} is locked already ({before.describe()}). A new one needs --replace and --why, which are written "
            "down in audit.jsonl."
        )
    return file_sha256(path)


def _describe(plan: LockedPlan, secret: Secret | None) -> list[str]:
    counts = {name: len(section) for name, section in plan.inventory.items()}
    lines = [
        (
            f"Locked: {counts['configuration']} keys of the configuration, {counts['exclusions']} exclusions, "
            f"{counts['data']} files of the data, the code of {counts['code']} steps, {counts['packages']} packages."
        ),
        f"Plan: {plan.path}",
        f"Its sha256: {plan.sha256} (check: cd {plan.path.parent} && sha256sum -c {digest_path(plan.path).name})",
    ]
    if secret is None:
        lines.append("Not signed by a secret: whoever can write there can write plan and sha256 anew. Keep the sha256.")
    else:
        lines.append(f"Signed: {signature_path(plan.path)} (check: graytrace audit with the same key)")
    return lines
