"""Modules and functions stay short enough to be read at once: the limits of CONTRIBUTING.md.

Lines are counted as a reader meets them: of a function those of its body, the docstring apart.
"""

import ast
from pathlib import Path

import pytest

import graytrace

ROOT = Path(graytrace.__file__).parents[2]
MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_A_RULE_FILE = 200
MOST_LINES_OF_A_FUNCTION = 60
# What is longer, by name, and how long it may be. Made shorter: lower the number, or take the line out.
LONGER_FUNCTIONS = {"pipeline/graytrace/algorithms/change.py measure_change": 77}

SOURCES = sorted(path for folder in ("pipeline", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def _id(path):
    return path.relative_to(ROOT).as_posix()


def _lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def _length(function):
    """Lines of a function's body, from its first statement behind the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def _lengths(source):
    """Name and lines of each function in it, methods and functions within functions, too."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name: _length(node) for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)}


def test_the_rule_of_contributing_is_the_one_held_here():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = f"Modules stay under {MOST_LINES_OF_A_MODULE} lines, functions under {MOST_LINES_OF_A_FUNCTION}."
    assert told in page


def test_a_function_is_counted_without_its_docstring():
    source = 'def f(x):\n    """One.\n\n    More.\n    """\n    y = x\n\n    return y\n'
    assert _lengths(source) == {"f": 3}
    assert _lengths('class A:\n    def g(self):\n        """Nothing else."""\n') == {"g": 0}


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_a_module_is_short(path):
    assert _lines(path) <= MOST_LINES_OF_A_MODULE, "split it by noun"


@pytest.mark.parametrize("path", sorted((ROOT / "pipeline" / "rules").glob("*.smk")), ids=_id)
def test_a_file_of_rules_is_short(path):
    assert _lines(path) <= MOST_LINES_OF_A_RULE_FILE, "split it by stage"


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_functions_are_short(path):
    long = {
        f"{_id(path)} {name}": lines
        for name, lines in _lengths(path.read_text(encoding="utf-8")).items()
        if lines > MOST_LINES_OF_A_FUNCTION
    }
    assert {name: lines for name, lines in long.items() if lines > LONGER_FUNCTIONS.get(name, 0)} == {}


@pytest.mark.parametrize("name", LONGER_FUNCTIONS)
def test_an_exception_is_still_needed(name):
    path, function = name.split()
    lines = _lengths((ROOT / path).read_text(encoding="utf-8")).get(function, 0)
    assert lines == LONGER_FUNCTIONS[name], "it became shorter: lower its number, or take it out of LONGER_FUNCTIONS"
    assert lines > MOST_LINES_OF_A_FUNCTION
