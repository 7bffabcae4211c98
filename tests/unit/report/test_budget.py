"""What limits a patient's number, on its card and in the methods: never another patient's, never more than is known."""

import base64
import dataclasses
import re
import xml.etree.ElementTree as ET

import pytest
import yaml

from graytrace.report.budget import describe_budget, draw_budget, judge_size, read_budget
from graytrace.report.content import Study, make_cards
from graytrace.report.methods import write_methods
from graytrace.report.page import render_page
from graytrace.schemas import SCHEMAS
from graytrace.tables import columns

PARTS = ("noise", "blocks", "geometry", "movement", "sharpness", "shading", "contrast", "model", "agreement", "texture")


def make_study(count, *, error="n/a", **first):
    """Patients who lost 1.0, 1.1, 1.2 … %; the first gets the cells in `first`."""
    rows = []
    for n in range(count):
        row = dict.fromkeys(columns("atrophy"), "n/a")
        row |= {"participant_id": f"sub-{n:03}", "status": "ok", "visit_baseline": "BL", "visit_followup": "M24"}
        row |= {"gm_change_percent": f"{-1.0 - 0.1 * n:.4f}", "gm_change_se_points": error}
        rows.append(row | (first if n == 0 else {}))
    defaults = yaml.safe_load((SCHEMAS.parents[2] / "config.yaml").read_text())
    run = {"version": "1.2.3", "python": "3.11", "packages": {}, "config": defaults}
    return Study(rows, [], [], [], run)


def measures(stem="gm_change", **points):
    return {f"{stem}_se_{part}_points": points.get(part, 0.01) for part in PARTS}


def with_changes(study, found, **more):
    key = ("sub-000", "BL", "M24")
    return dataclasses.replace(study, changes={key: found}, **more)


def budget_of(**points):
    return describe_budget(read_budget(measures(**points), "gm_change"), "change of gray matter")


def test_shares_are_of_the_variance_and_largest_first():
    budget = budget_of(geometry=0.3, model=0.4)
    assert [part.label for part in budget.parts] == ["model", "geometry"], "those below one percent are not drawn"
    assert budget.parts[0].share == pytest.approx(0.16 / (0.16 + 0.09 + 8e-4))


def test_the_bar_is_as_long_as_the_shares():
    rectangles = list(ET.fromstring(draw_budget(budget_of(geometry=0.3, model=0.4).parts)))  # noqa: S314
    widths = [float(one.get("width")) for one in rectangles]
    assert widths[0] / widths[1] == pytest.approx(16 / 9, abs=0.01)
    assert float(rectangles[1].get("x")) == pytest.approx(widths[0], abs=0.1)


def test_each_part_has_its_color_and_the_same_budget_the_same_bytes():
    budget = budget_of(**dict.fromkeys(PARTS, 0.1))
    assert len({part.color for part in budget.parts}) == len(PARTS)
    assert budget_of(**dict.fromkeys(PARTS, 0.1)).picture == budget.picture


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ({"sharpness": 0.9}, "from the different sharpness of both scans (100 % of the variance)."),
        (
            {"noise": 0.2, "model": 0.2, "texture": 0.2},
            "Most of the uncertainty comes from the noise of both scans and loss that",
        ),
    ],
)
def test_what_limits_the_number_is_said_in_words(points, said):
    assert said in budget_of(**points).limits


def test_no_more_than_three_parts_are_named():
    limits = budget_of(**dict.fromkeys(PARTS, 0.1)).limits
    assert limits.startswith("The largest parts of the uncertainty are")
    assert limits.endswith("(together 30 % of the variance).")


def test_an_engine_without_a_budget_has_none_and_no_error_is_no_bar():
    assert read_budget({"gm_change_percent": -1.0}, "gm_change") == {}
    assert describe_budget({}, "change") is None
    assert budget_of(**dict.fromkeys(PARTS, 0.0)) is None


@pytest.mark.parametrize(
    ("change", "half", "smallest", "said"),
    [
        (-1.0, 0.3, None, ""),
        (-0.2, 0.3, None, "has zero in it"),
        (-0.2, 0.3, 0.25, "smallest detectable change on the study's own scanner (0.25 points)"),
        (0.27, 0.3, 0.25, "has zero in it"),
        (-0.2, None, None, ""),
        (None, 0.3, 0.25, ""),
    ],
)
def test_a_change_that_cannot_be_detected_is_said_to_be_so(change, half, smallest, said):
    found = judge_size(change, half, smallest)
    assert said in found
    assert bool(found) is bool(said)


def test_the_card_shows_the_budget_of_its_own_patient(tmp_path):
    study = with_changes(make_study(3, error="0.3"), measures(geometry=0.3))
    cards = {card.participant_id: card for card in make_cards(study, {})}
    assert "length scale" in cards["sub-000"].limits[0]
    assert cards["sub-001"].budget is None
    assert cards["sub-001"].limits == []
    page = render_page(study, write_methods(study, []), folder=tmp_path, title="trial", predictors={})
    (picture,) = re.findall(r'class="budget" src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert base64.b64decode(picture).startswith(b"<svg")
    assert "geometry 0.30 (99\N{NO-BREAK SPACE}%)" in page.replace(" %)", "\N{NO-BREAK SPACE}%)")


def test_who_was_not_measured_shows_no_budget_of_an_earlier_time():
    study = with_changes(make_study(2, error="0.3", status="excluded"), measures())
    card = next(card for card in make_cards(study, {}) if card.participant_id == "sub-000")
    assert (card.budget, list(card.limits)) == (None, [])


def test_the_budget_is_that_of_the_outcome_that_is_asked():
    study = with_changes(make_study(2), measures() | measures("brain_change", noise=0.9))
    study.run["config"]["statistics"]["outcome"] = "brain_change_percent"
    card = next(card for card in make_cards(study, {}) if card.participant_id == "sub-000")
    assert card.budget.what == "change of the brain"
    assert "noise" in card.limits[0]


def test_an_interval_of_the_own_scanner_is_not_explained_by_the_pairs_smaller_budget():
    study = with_changes(make_study(2, error="0.9", widened_intervals="gm_change"), measures(noise=0.2))
    card = next(card for card in make_cards(study, {}) if card.participant_id == "sub-000")
    assert card.limits[0].startswith("What limits this number is the repeatability of the study's own scanner;")
    assert "Most of the uncertainty comes from the noise" in card.limits[0]


def test_methods_tell_the_largest_part_and_how_many_changes_cannot_be_detected():
    study = with_changes(make_study(3, error="0.6"), measures(texture=0.3), smallest_changes={"gm_change_percent": 1.1})
    text = write_methods(study, []).as_markdown()
    assert "most often what the signal varies by itself (1 of 1)." in text
    assert "In 2 of 3 the change was within the smallest detectable one (1.10 points)" in text
    alone = write_methods(make_study(3, error="0.6"), []).as_markdown()
    assert "In 2 of 3 zero was within the 95 % interval" in alone, "1.18 points around -1.0 and -1.1, not around -1.2"
    assert "largest of its parts" not in alone
