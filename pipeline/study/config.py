"""The configuration of a study: checked, completed, with absolute paths."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pipeline.errors import ConfigError

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
_PATH_KEYS = ("bids_dir", "output_dir", "lesions", "exclusions")


@dataclass(frozen=True)
class Config:
    """A study's choices.

    Parameters
    ----------
    bids_dir : Path or None
        Absolute; None where no data set is named.
    output_dir : Path
        Absolute.
    baseline, followup : str
        Labels without ``ses-``.
    lesions : Path or None
        Absolute.
    engines : mapping
        Stage to engine.
    """

    bids_dir: Path | None
    output_dir: Path
    baseline: str
    followup: str
    lesions: Path | None
    engines: Mapping[str, str]
    dose_column: str | None
    covariates: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The choices in the shape of a configuration file."""
        return {
            "study": {
                "bids_dir": str(self.bids_dir) if self.bids_dir else None,
                "output_dir": str(self.output_dir),
                "baseline": self.baseline,
                "followup": self.followup,
                "lesions": str(self.lesions) if self.lesions else None,
                "exclusions": None,
            },
            "engines": dict(self.engines),
            "statistics": {"dose_column": self.dose_column, "covariates": list(self.covariates)},
        }

    def as_json(self) -> str:
        """The choices as one argument of a command."""
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def require_data(self) -> Path:
        """The data set's folder.

        Raises
        ------
        ConfigError
            None is named, or it does not exist.
        """
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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as a configuration file: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys such as study and engines, got {type(content).__name__}.")
    return content


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
    faults = _faults(content)
    if faults:
        raise ConfigError("The configuration cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    study = content["study"]
    named = [(path, read_config(path)) for path in config_files]
    paths = {key: _anchor(key, study[key], named) for key in _PATH_KEYS if study[key] is not None}
    baseline, followup = (study[key].removeprefix("ses-") for key in ("baseline", "followup"))
    if baseline == followup:
        raise ConfigError(f"study.baseline and study.followup are both {baseline!r}: two different visits are needed.")
    if "exclusions" in paths:
        raise ConfigError("study.exclusions is not available in this version: set it to null.")
    if any(brace in str(paths["output_dir"]) for brace in "{}"):
        raise ConfigError(
            f"study.output_dir: {paths['output_dir']} has a brace in it, which Snakemake takes for a wildcard."
        )
    return Config(
        bids_dir=paths.get("bids_dir"),
        output_dir=paths["output_dir"],
        baseline=baseline,
        followup=followup,
        lesions=_lesion_folder(study["lesions"], paths),
        engines=dict(content["engines"]),
        dose_column=content["statistics"]["dose_column"],
        covariates=tuple(content["statistics"]["covariates"]),
    )


def _faults(content: Mapping[str, Any]) -> list[str]:
    """One sentence for each way in which a configuration departs from its schema."""
    schema = json.loads((SCHEMAS / "config.schema.json").read_text(encoding="utf-8"))
    errors = sorted(Draft202012Validator(schema).iter_errors(content), key=lambda error: error.json_path)
    return [sentence for error in errors for sentence in _sentences(error, schema)]


def _sentences(error: ValidationError, schema: Mapping[str, Any]) -> Iterable[str]:
    violated: Any = error.schema
    expected: Any = error.validator_value
    found: Any = error.instance
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(violated["properties"])
        for key in sorted(set(map(str, found)) - set(known)):
            yield f"{_join(where, key)}: no such key{_suggestion(key, where, known, schema)}"
    elif error.validator == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        quotes = " Write it in quotes." if "string" in kinds and isinstance(found, int | float) else ""
        yield f"{where}: expected {' or '.join(kinds)}, got {found!r}.{quotes}"
    elif error.validator == "pattern":
        yield f"{where}: {found!r} is no BIDS label (letters and digits only, with or without ses- in front)."
    else:
        yield f"{where or 'the whole'}: {error.message}."


def _suggestion(key: str, where: str, known: list[str], schema: Mapping[str, Any]) -> str:
    """The nearest right key: first among those of the same section, then anywhere."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f". Did you mean {_join(where, near[0])}?"
    elsewhere = {
        inner: name for name, section in schema["properties"].items() for inner in section.get("properties", {})
    }
    near = difflib.get_close_matches(key, list(elsewhere), n=1, cutoff=0.6)
    if near:
        return f". Did you mean {elsewhere[near[0]]}.{near[0]}?"
    return f"; there are: {', '.join(known)}."


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _anchor(key: str, value: str, named: Sequence[tuple[Path, Mapping[str, Any]]]) -> Path:
    """Absolute path of a value: relative to the last file that gives it, else to the working directory."""
    named_path = Path(value).expanduser()
    for file, content in reversed(named):
        section = content.get("study")
        if isinstance(section, Mapping) and section.get(key) == value:
            anchored: Path = file.resolve().parent / named_path
            return anchored.resolve()
    return named_path.resolve()


def _lesion_folder(value: str | None, paths: Mapping[str, Path]) -> Path | None:
    """Folder of the lesion masks, beside the configuration file or in the data set."""
    if value is None or "bids_dir" not in paths:
        return paths.get("lesions")
    candidates = [paths["lesions"], paths["bids_dir"] / value]
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise ConfigError(f"study.lesions: there is neither {candidates[0]} nor {candidates[1]}. null: no lesion masks.")
