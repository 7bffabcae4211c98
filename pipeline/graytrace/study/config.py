"""The configuration of a study: checked, completed, with absolute paths."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from graytrace.errors import ConfigError
from graytrace.schemas import load_config_schema
from graytrace.study.config_faults import check_limits, find_faults, join_key, read_truth
from graytrace.study.own_scanner import own_scanner, read_smallest_changes
from graytrace.study.schedule import Window, check_outcome, read_schedule

_PATH_KEYS = ("bids_dir", "scans", "output_dir", "lesions", "dates", "exclusions", "plan_lock")
MAX_CONFIG_BYTES = 1 << 20
_OF_THE_STUDY = frozenset({"study", "engines", "quality", "statistics"})


@dataclass(frozen=True)
class Config:
    """A study's choices.

    Parameters
    ----------
    bids_dir, scans : Path or None
        The data set, or the plain table of scans that stands for one; absolute; at most one of them.
    output_dir : Path
        Absolute.
    baseline : str
        Label without ``ses-`` of the visit that others are compared with: with `rebaseline` that one.
    followups : tuple of str
        Labels without ``ses-`` of the visits after it; each is compared with it.
    windows : tuple
        For each follow-up the least and the most months after the study's first visit, or None.
    lesions, dates, exclusions : Path or None
        Absolute.
    engines : mapping
        Stage to engine.
    suites : mapping
        Section of an engine's options (``fsl``, ``ants`` …) to its keys; paths are absolute.
    question : str or None
        As the protocol writes it.
    primary_test : str
        The test that answers it.
    shapes : tuple of str
        Tried by the maximum-contrast test.
    emax_half_dose : float or None
        Of the shape emax.
    strata : tuple of str
        Columns of participants.tsv.
    visits : {"baseline", "all"}
        Whether a patient's visits are also compared among each other, for one trajectory through all of them.
    rebaseline : str or None
        The follow-up that is `baseline` in place of the study's first visit.
    earlier : tuple of str
        Labels of the visits before it.
    written : mapping
        Visits and windows as the file has them, where `rebaseline` makes them others.
    plan_lock : Path or None
        The locked plan that runs are held against; None: that in `output_dir`, where there is one.
    blind : bool
        Whether doses, IDs and the order of visits stay hidden from readers.
    """

    bids_dir: Path | None
    scans: Path | None
    output_dir: Path
    baseline: str
    followups: tuple[str, ...]
    windows: tuple[Window | None, ...]
    lesions: Path | None
    dates: Path | None
    exclusions: Path | None
    engines: Mapping[str, str]
    dose_column: str | None
    covariates: tuple[str, ...]
    columns: tuple[str | Mapping[str, str], ...]
    outcome: str
    quality: Mapping[str, Any]
    suites: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    question: str | None = None
    primary_test: str = "spearman"
    shapes: tuple[str, ...] = ("linear", "log_linear", "emax", "step")
    emax_half_dose: float | None = None
    strata: tuple[str, ...] = ()
    visits: str = "baseline"
    rebaseline: str | None = None
    earlier: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict)
    plan_lock: Path | None = None
    blind: bool = False

    @property
    def joins_all_visits(self) -> bool:
        """Whether each patient gets a trajectory through all visits."""
        return self.visits == "all"

    @property
    def trajectory_tables(self) -> dict[str, Path]:
        """Tables that only a study with trajectories has, by their names."""
        names = ("pairs", "trajectory", "slopes") if self.joins_all_visits else ()
        return {name: self.output_dir / f"{name}.tsv" for name in names}

    @property
    def first_visit(self) -> str:
        """Label of the study's first visit, from which windows count."""
        return (*self.earlier, self.baseline)[0]

    @property
    def every_label(self) -> tuple[str, ...]:
        """Labels of all visits that the file names, in its order."""
        return (*self.earlier, self.baseline, *self.followups)

    @property
    def planned_labels(self) -> tuple[str, ...]:
        """Labels of the visits that are measured, in the file's order."""
        return self.every_label if self.joins_all_visits else (self.baseline, *self.followups)

    @property
    def participants_table(self) -> Path | None:
        """participants.tsv: of the data set, or beside the table of scans; None where no data are named."""
        folder = self.bids_dir or (self.scans.parent if self.scans else None)
        return folder / "participants.tsv" if folder else None

    def window(self, followup: str) -> Window | None:
        """The least and the most months after the study's first visit at which a follow-up is expected."""
        return dict(zip(self.followups, self.windows, strict=True))[followup]

    def as_dict(self) -> dict[str, Any]:
        """The choices in the shape of a configuration file."""
        paths = {key: getattr(self, key) for key in _PATH_KEYS}
        return {
            "study": {
                **{key: str(path) if path else None for key, path in paths.items()},
                "baseline": self.baseline,
                "followup": list(self.followups) if len(self.followups) > 1 else self.followups[0],
                "window_months": [list(window) if window else None for window in self.windows],
                **self.written,
                # a study that asks for neither keeps the text that it always had
                **({"visits": self.visits} if self.joins_all_visits else {}),
                **({"rebaseline": self.rebaseline} if self.rebaseline else {}),
                "blind": self.blind,
            },
            "engines": dict(self.engines),
            "quality": dict(self.quality),
            "statistics": {
                "question": self.question,
                "dose_column": self.dose_column,
                "columns": [column if isinstance(column, str) else dict(column) for column in self.columns],
                "covariates": list(self.covariates),
                "outcome": self.outcome,
                "primary_test": self.primary_test,
                "shapes": list(self.shapes),
                "emax_half_dose": self.emax_half_dose,
                "strata": list(self.strata),
            },
            **{name: dict(section) for name, section in self.suites.items()},
        }

    def as_json(self) -> str:
        """The choices as one argument of a command."""
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def require_data(self) -> Path:
        """The data set's folder or, where a table stands for one, that table's folder.

        Raises
        ------
        ConfigError
            None is named, or it does not exist.
        """
        if self.scans is not None:
            if not self.scans.is_file():
                raise ConfigError(f"study.scans: there is no file {self.scans}.")
            return self.scans.parent
        if self.bids_dir is None:
            raise ConfigError(
                "No data set is named. Write a configuration file with\n"
                "    study:\n      bids_dir: path/to/the/BIDS/data/set\n"
                "and call: snakemake --cores 2 --configfile my.yaml\n"
                "(A data set to try: graytrace phantom demo/bids --patients 3)"
            )
        if not self.bids_dir.is_dir():
            raise ConfigError(f"study.bids_dir: there is no folder {self.bids_dir}.")
        return self.bids_dir


def read_config(path: Path) -> dict[str, Any]:
    """Content of one configuration file.

    Raises
    ------
    ConfigError
        The file cannot be read or is no mapping.
    """
    try:
        content = _parse(path)
    except ConfigError:
        raise
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as a configuration file: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys such as study and engines, got {type(content).__name__}.")
    bare = [name for name, section in content.items() if section is None]
    if bare:
        raise ConfigError(
            f"{path}: nothing stands below {', '.join(map(str, bare))}. Indent its keys by two blanks, or take the "
            "line out."
        )
    return content


def _parse(path: Path) -> Any:
    """Content of a YAML file of a sensible size, plain values only."""
    size = path.stat().st_size
    if size > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path} is {size} bytes large: that is no configuration file.")
    text = path.read_text(encoding="utf-8")
    if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):  # a few lines of them fill any memory
        raise ConfigError(f"{path}: references (*name) are not allowed: write the values out.")
    _refuse_twice(path, yaml.compose(text, Loader=yaml.SafeLoader))
    return yaml.safe_load(text)


def _refuse_twice(path: Path, node: yaml.Node | None, where: str = "") -> None:
    """Refuse a key that stands twice in its section: YAML's readers drop the first one without a word."""
    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _refuse_twice(path, part, where)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        full = join_key(where, name)
        if name in lines:
            raise ConfigError(
                f"{path}: {full} stands twice, in line {lines[name]} and in line {line}: only one would count. "
                "Put what belongs to it under one of them."
            )
        lines[name] = line
        _refuse_twice(path, value, full)


def merge_configs(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping over another, section by section, as Snakemake merges configuration files."""
    merged = copy.deepcopy(dict(under))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge_configs(merged[key], value) if both else value
    return merged


def load_config(content: Mapping[str, Any], config_files: Sequence[Path] = ()) -> Config:
    """Check a merged configuration and make its paths absolute.

    Parameters
    ----------
    content : mapping
        The merged configuration, as Snakemake gives it.
    config_files : sequence of Path
        The files that it was merged from, later ones over earlier ones, the defaults first. A relative path is relative
        to the last file that names it; a path given on the command line is relative to the working directory.

    Raises
    ------
    ConfigError
        With every fault and, for an unknown key, the nearest one that exists.
    """
    named = [(path, read_config(path)) for path in config_files]
    faults = find_faults(content)
    if faults:
        raise ConfigError("The configuration cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    check_limits(content["quality"])
    study = content["study"]
    check_outcome(study, content["statistics"]["outcome"])
    paths = {key: _anchor(key, study[key], named) for key in _PATH_KEYS if study.get(key) is not None}
    _check_paths(paths)
    quality = _quality(content["quality"], named)
    read_smallest_changes(own_scanner(quality), content["engines"])  # a wrong table is told before anything runs
    return Config(
        bids_dir=paths.get("bids_dir"),
        scans=paths.get("scans"),
        output_dir=paths["output_dir"],
        visits=study.get("visits", "baseline"),
        **read_schedule(study),
        lesions=_lesion_folder(study["lesions"], paths),
        dates=paths.get("dates"),
        exclusions=paths.get("exclusions"),
        plan_lock=paths.get("plan_lock"),
        blind=read_truth("study.blind", study.get("blind")),
        engines=dict(content["engines"]),
        suites=_suites(content, named),
        quality=quality,
        **_statistics(content["statistics"]),
    )


def _statistics(section: Mapping[str, Any]) -> dict[str, Any]:
    """What the trial asks, lists as tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in section.items()}


def _quality(content: Mapping[str, Any], named: Sequence[tuple[Path, Mapping[str, Any]]]) -> dict[str, Any]:
    """The section on quality with an absolute path to the repeatability of the study's own scanner."""
    quality = dict(content)
    if quality.get("repeatability") is not None:
        quality["repeatability"] = str(_anchor("repeatability", quality["repeatability"], named, section="quality"))
    return quality


def _check_paths(paths: Mapping[str, Path]) -> None:
    """Refuse paths that contradict each other or that Snakemake would misread."""
    output_dir = paths["output_dir"]
    if any(brace in str(output_dir) for brace in "{}"):
        raise ConfigError(f"study.output_dir: {output_dir} has a brace in it, which Snakemake takes for a wildcard.")
    if not str(output_dir).isprintable():
        raise ConfigError(f"study.output_dir: {str(output_dir)!r} has a line break or another unprintable character.")
    if "scans" in paths and "bids_dir" in paths:
        raise ConfigError("study.bids_dir and study.scans are both given: set one of them to null.")
    if "scans" in paths and "lesions" in paths:
        raise ConfigError("study.lesions belongs to study.bids_dir: with study.scans, use its column lesion_mask.")
    data = paths.get("bids_dir")
    if data is not None and output_dir == data:
        raise ConfigError(f"study.output_dir is the data set itself ({data}), which is only read: choose another.")
    for key in ("dates", "exclusions", "plan_lock"):
        if key in paths and not paths[key].is_file():
            raise ConfigError(f"study.{key}: there is no file {paths[key]}.")


def _suite_paths() -> dict[str, tuple[str, ...]]:
    """Sections with the options of engines other than our own, and which of their keys are paths."""
    return {
        name: tuple(key for key, field in section["properties"].items() if field["unit"] == "path")
        for name, section in load_config_schema()["properties"].items()
        if name not in _OF_THE_STUDY
    }


def _suites(content: Mapping[str, Any], named: Sequence[tuple[Path, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Options of engines, with absolute paths to files that are there."""
    suites = {}
    for name, paths in _suite_paths().items():
        options = dict(content.get(name, {}))
        for key in paths:
            if options.get(key) is None:
                continue
            path = _anchor(key, options[key], named, section=name)
            if not path.is_file():
                raise ConfigError(f"{name}.{key}: there is no file {path}.")
            options[key] = str(path)
        suites[name] = options
    return suites


def _anchor(key: str, value: str, named: Sequence[tuple[Path, Mapping[str, Any]]], *, section: str = "study") -> Path:
    """Absolute path of a value: relative to the last file that gives it, else to the working directory."""
    named_path = Path(value).expanduser()
    for file, content in reversed(named):
        keys = content.get(section)
        if isinstance(keys, Mapping) and keys.get(key) == value:
            anchored: Path = file.resolve().parent / named_path
            return anchored.resolve()
    return named_path.resolve()


def _lesion_folder(value: str | None, paths: Mapping[str, Path]) -> Path | None:
    """Folder of the lesion masks, beside the configuration file or in the data set."""
    if value is None or "bids_dir" not in paths:
        return paths.get("lesions")
    if not paths["bids_dir"].is_dir():
        raise ConfigError(f"study.bids_dir: there is no folder {paths['bids_dir']}.")
    candidates = [paths["lesions"], paths["bids_dir"] / value]
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise ConfigError(f"study.lesions: there is neither {candidates[0]} nor {candidates[1]}. null: no lesion masks.")
