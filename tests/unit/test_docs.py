"""Promises of the documentation: what comes from the schemas agrees with them, and quoted errors are real ones."""

import importlib.util
import re
from pathlib import Path

from graytrace.results.limits import list_metrics

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"


def load_generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_files_are_up_to_date():
    for name, text in load_generator().expected_files().items():
        assert (PROJECT / name).read_text() == text, f"run python docs/generate.py ({name})"


def test_every_number_of_quality_is_explained():
    text = (DOCS / "quality.md").read_text()
    assert [metric.name for metric in list_metrics() if metric.name not in text] == []


def test_errors_in_the_questions_are_what_the_program_says():
    source = "\n".join(path.read_text() for path in (PROJECT / "pipeline").rglob("*.py"))
    questions = re.findall(r"^\*\*(.*?)\*\*", (DOCS / "faq.md").read_text(), flags=re.MULTILINE)
    quoted = [text for question in questions for text in re.findall(r"`([^`]+)`", question)]
    assert len(quoted) > 12
    assert [text for text in quoted if text not in source] == []
