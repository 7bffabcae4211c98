"""In which ways a configuration departs from its schema, in sentences with the likely intent."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from graytrace.schemas import load_config_schema

_MAX_MESSAGE = 300


def list_faults(content: Mapping[str, Any]) -> list[str]:
    """One sentence for each way in which a configuration departs from its schema."""
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


def join_key(where: str, key: str) -> str:
    """A key with the section that it stands in."""
    return f"{where}.{key}" if where else key
