"""Promises of the list of requirements: every one has a test, every test it names is there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
LISTED = yaml.safe_load((PROJECT / "docs" / "requirements.yaml").read_text(encoding="utf-8"))
REQUIREMENTS = {number: one for group in LISTED.values() for number, one in group.items()}


def functions_of(path: str) -> set[str]:
    """Names of the test functions of a module."""
    tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def qualification_checks() -> Iterator[str]:
    """Numbers of the checks as the sources of `graytrace qualify` name them."""
    for path in (PROJECT / "pipeline/graytrace/commands/qualification").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value[:3] in {"IQ-", "OQ-", "PQ-"}
            ):
                yield node.value


@pytest.mark.parametrize("number", REQUIREMENTS)
def test_a_requirement_has_tests_that_exist(number):
    tests = REQUIREMENTS[number]["tests"]
    assert tests
    for test in tests:
        path, separator, name = test.partition("::")
        assert separator, test
        assert (PROJECT / path).is_file(), test
        assert name in functions_of(path), test


def test_no_number_is_used_twice_or_left_out():
    assert len(REQUIREMENTS) == sum(len(group) for group in LISTED.values())
    assert list(REQUIREMENTS) == [f"R-{number:02d}" for number in range(1, len(REQUIREMENTS) + 1)]


def test_a_requirement_is_a_sentence_and_has_no_other_keys():
    for one in REQUIREMENTS.values():
        assert one["text"].endswith(".")
        assert set(one) <= {"text", "tests", "checks"}


def test_checks_of_the_qualification_are_those_that_it_does():
    named = {check for one in REQUIREMENTS.values() for check in one.get("checks", ())}
    assert named
    assert named <= set(qualification_checks())


def test_a_name_that_is_no_test_would_be_found():
    assert "test_that_is_not_there" not in functions_of("tests/unit/test_requirements.py")
    assert "test_no_number_is_used_twice_or_left_out" in functions_of("tests/unit/test_requirements.py")
