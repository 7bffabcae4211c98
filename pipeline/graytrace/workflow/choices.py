"""The configuration of a command: the defaults, over them the user's file, over both what the arguments say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from graytrace.errors import ConfigError
from graytrace.study.config import Config, load_config, merge_configs, read_config
from graytrace.workflow.project import DEFAULTS


def load_choices(file: Path | None, study: Mapping[str, object]) -> Config:
    """Read and check a study's choices as a run would have them.

    Parameters
    ----------
    file : Path or None
        What ``--config`` names.
    study : mapping
        Keys of section ``study`` that other arguments give.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        The file is not there, or the configuration cannot be used.
    """
    if file is not None and not file.is_file():
        raise ConfigError(f"--config: there is no file {file}.")
    files = [DEFAULTS, *([file.absolute()] if file is not None else [])]
    content: dict[str, object] = {}
    for path in files:
        content = merge_configs(content, read_config(path))
    return load_config(merge_configs(content, {"study": study}), files)
