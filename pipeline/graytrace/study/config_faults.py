"""Where a configuration departs from its schema, in sentences that name the nearest right key."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from graytrace.errors import ConfigError
from graytrace.schemas import load_config_schema, load_metrics

_MAX_MESSAGE = 300  # jsonschema quotes the whole value


def find_faults(content: Mapping[str, Any]) -> list[str]:
    """One sentence for each way in which a configuration departs from its schema.

    Parameters
    ----------
    content : mapping
        Sections with their keys, defaults filled in.

    Returns
    -------
    list of str
        Each begins with the key's full name.
    """
    schema = load_config_schema()
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
            yield f"{join_key(where, key)}: no such key{_suggestion(key, where, known, schema)}"
    elif error.validator == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        quotes = " Write it in quotes." if "string" in kinds and isinstance(found, int | float) else ""
        yield f"{where}: expected {' or '.join(kinds)}, got {reprlib.repr(found)}.{quotes}"
    elif error.validator == "pattern":
        shown = reprlib.repr(found)
        yield f"{where}: {shown} is no BIDS label (letters and digits only, with or without ses- in front)."
    else:
        yield f"{where or 'the whole'}: {error.message[:_MAX_MESSAGE]}."


def _suggestion(key: str, where: str, known: list[str], schema: Mapping[str, Any]) -> str:
    """The nearest right key: first among those of the same section, then anywhere."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f". Did you mean {join_key(where, near[0])}?"
    elsewhere = {
        inner: name for name, section in schema["properties"].items() for inner in section.get("properties", {})
    }
    near = difflib.get_close_matches(key, list(elsewhere), n=1, cutoff=0.6)
    if near:
        return f". Did you mean {elsewhere[near[0]]}.{near[0]}?"
    return f"; there are: {', '.join(known)}."


def read_truth(key: str, value: object) -> bool:
    """Yes or no, also in letters, as Snakemake's command line gives it within a section; no where nothing is said.

    Raises
    ------
    ConfigError
        It is neither.
    """
    said = str(value or False).lower()
    if said not in {"true", "false"}:
        raise ConfigError(f"{key}: expected true or false, got {value!r}.")
    return said == "true"


def join_key(where: str, key: str) -> str:
    """Full name of a key: its section, a point and its own name."""
    return f"{where}.{key}" if where else key


def check_limits(quality: Mapping[str, Any]) -> None:
    """Refuse limits that every scan passes beyond: they would flag or withhold everybody.

    Parameters
    ----------
    quality : mapping
        Section ``quality``, checked against its schema.

    Raises
    ------
    ConfigError
        With a sentence for each such limit.
    """
    metrics = load_metrics()
    faults = []
    for section in ("limits", "withheld"):
        for name, limit in (quality.get(section) or {}).items():
            low, high = (limit or {}).get("min"), (limit or {}).get("max")
            least = metrics[name].get("minimum")
            if low is not None and high is not None and low > high:
                faults.append(
                    f"quality.{section}.{name}: min {low:g} is above max {high:g}: nothing lies between them."
                )
            elif high is not None and least is not None and high < least:
                faults.append(
                    f"quality.{section}.{name}: max {high:g} is below {least:g}, the least that there can be."
                )
    if faults:
        raise ConfigError("The configuration cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
