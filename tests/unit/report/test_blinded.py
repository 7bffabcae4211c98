"""The folder for blinded readers: nothing in it, by content, name, order, date or digest, says who or when."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from graytrace.files import file_sha256
from graytrace.report.blinded import code_patients, render_cover, write_blinded
from graytrace.report.oversight import describe_oversight
from graytrace.results.review import Review, Verdict
from graytrace.study.blinding import BLINDED_NAME, make_codes, order_visits

KEY = b"k" * 32
NAMES = [f"sub-P{number:02}" for number in range(1, 9)]
RUN = {"version": "1", "python": "3.11", "packages": {"scipy": "1.17.0"}}


def draw(path, shade):
    """A picture as the steps make them, with what it must not carry along."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.full((16, 16, 3), shade, dtype=np.uint8))
    exif = Image.Exif()
    exif[0x010E] = f"{path.name} ses-M24"
    picture.save(path, format="JPEG", quality=80, subsampling=0, exif=exif, comment=path.name.encode())


def make_results(folder, visits=("BL", "M24")):
    """Results of eight patients; shades of gray tell which picture is which. The last patient lacks a visit."""
    quality = []
    for number, name in enumerate(NAMES):
        for place, visit in enumerate(visits):
            status = "missing" if number == len(NAMES) - 1 and place else "ok"
            quality.append({"participant_id": name, "visit": visit, "kind": "scan", "status": status})
            draw(folder / name / "figures" / f"{name}_ses-{visit}_desc-borders_T1w.jpg", 5 * number + 80 * place)
        for followup in visits[1:]:
            pair = {"participant_id": name, "visit": f"{visits[0]}_{followup}", "kind": "pair", "status": "ok"}
            quality.append(pair)
            for word, shade in (("baseline", 3), ("followup", 83), ("change", 250)):
                path = folder / name / "figures" / f"{name}_ses-{followup}_space-midway_desc-{word}_T1w.jpg"
                draw(path, 5 * number + shade if word != "change" else shade)
    return quality


def without_style(page):
    """A page without its style and script, whose words are those of CSS and JavaScript."""
    return re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)


def shade(path):
    return int(np.asarray(Image.open(path)).mean().round())


@pytest.fixture
def blinded(tmp_path):
    quality = make_results(tmp_path)
    cards = write_blinded(quality, tmp_path, KEY)
    return tmp_path / BLINDED_NAME, cards, quality


def test_nothing_in_the_folder_names_a_patient_a_visit_or_a_dose(blinded):
    folder, _, _ = blinded
    secrets = [
        *NAMES,
        *(name.removeprefix("sub-") for name in NAMES),
        "sub-",
        "ses-",
        "M24",
        "baseline",
        "followup",
        "dose",
    ]
    page = without_style((folder / "index.html").read_text()).lower()
    assert [word for word in secrets if word.lower() in page] == []
    for path in [folder, *folder.rglob("*")]:
        assert [word for word in secrets if word.lower() in path.name.lower()] == []
        # three letters may stand in the bytes of a picture by chance
        content = path.read_bytes() if path.suffix == ".jpg" else b""
        assert [word for word in secrets if len(word) > 3 and word.encode() in content] == []


def test_pictures_carry_no_metadata_and_no_digest_of_the_originals(blinded, tmp_path):
    folder, _, _ = blinded
    originals = {file_sha256(path) for path in tmp_path.glob("sub-*/figures/*.jpg")}
    pictures = list(folder.glob("pictures/*.jpg"))
    assert len(pictures) == 7 * 4
    for path in pictures:
        with Image.open(path) as picture:
            assert not picture.getexif()
            assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
        assert file_sha256(path) not in originals


def test_every_file_has_one_date(blinded):
    folder, _, _ = blinded
    assert {path.stat().st_mtime for path in [folder, *folder.rglob("*")]} == {946_684_800}


def test_files_are_written_in_the_order_of_codes(blinded):
    folder, cards, _ = blinded
    assert [card.code for card in cards] == sorted(card.code for card in cards)
    # two that were written at once are of one moment to the file system
    written = sorted(folder.glob("pictures/*.jpg"), key=lambda path: (path.stat().st_ctime_ns, path.name))
    codes = [path.name.split("_")[0] for path in written]
    assert codes == sorted(codes)


def test_cards_stand_in_the_order_of_codes_and_each_shows_the_right_pictures(blinded):
    folder, cards, quality = blinded
    codes = make_codes(KEY, NAMES)
    names = {code: name for name, code in codes.items()}
    page = (folder / "index.html").read_text()
    assert re.findall(r'<details class="card" id="(\w+)"', page) == [card.code for card in cards]
    for card in cards:
        number = NAMES.index(names[card.code])
        order = order_visits(KEY, names[card.code], ["BL", "M24"])
        for place, (letter, file) in enumerate(card.borders):
            assert letter == "AB"[place]
            assert shade(folder / file) == pytest.approx(5 * number + 80 * (order[place] == "M24"), abs=1)
            assert file in page
        for place, (_, file) in enumerate(card.midway):
            assert shade(folder / file) == pytest.approx(5 * number + 3 + 80 * (order[place] == "M24"), abs=1)
    assert code_patients(quality, folder.parent, KEY) == {name: codes[name] for name in NAMES[:-1]}


def test_a_patient_with_one_visit_and_the_map_of_change_are_not_shown(blinded):
    folder, cards, _ = blinded
    assert make_codes(KEY, NAMES)[NAMES[-1]] not in {card.code for card in cards}
    assert all(shade(path) < 240 for path in folder.glob("pictures/*.jpg"))


def test_both_orders_occur(blinded):
    _, cards, _ = blinded
    names = {code: name for name, code in make_codes(KEY, NAMES).items()}
    assert len({tuple(order_visits(KEY, names[card.code], ["BL", "M24"])) for card in cards}) == 2


def test_with_three_visits_no_picture_gives_the_first_one_away(tmp_path):
    cards = write_blinded(make_results(tmp_path, ("BL", "M12", "M24")), tmp_path, KEY)
    assert {len(card.borders) for card in cards} == {3}
    assert {len(card.midway) for card in cards} == {0}
    pictures = [file_sha256(path) for path in (tmp_path / BLINDED_NAME).glob("pictures/*.jpg")]
    assert len(set(pictures)) == len(pictures) == 7 * 3


def test_the_same_key_gives_the_same_bytes_and_old_pictures_go(blinded, tmp_path):
    folder, _, quality = blinded
    before = {path.relative_to(folder): file_sha256(path) for path in folder.rglob("*") if path.is_file()}
    (folder / "pictures" / "sub-P01_ses-BL.jpg").write_bytes(b"left by somebody")
    write_blinded(quality, tmp_path, KEY)
    assert {path.relative_to(folder): file_sha256(path) for path in folder.rglob("*") if path.is_file()} == before


def test_the_folder_can_be_carried_away_whole(blinded, tmp_path):
    folder, _, _ = blinded
    elsewhere = shutil.copytree(folder, tmp_path / "usb")
    page = (elsewhere / "index.html").read_text()
    named = re.findall(r'src="([^"]+)"', page)
    assert len(named) == 7 * 4
    assert all((elsewhere / name).is_file() for name in named)
    assert not re.search(r'(?:src|href)="(?!data:|pictures/)', page)


def cover(review, told=None):
    extra = {"oversight": describe_oversight(told, review, ["B7", "C3"], {}, RUN, is_blind=True)}
    return render_cover(cards=2, counts=[("ok", 1)], extra=extra, version="1")


def test_the_page_in_the_place_of_the_report_names_nobody():
    page = cover(Review((Verdict("R1", "B7", "reject", "mask in the orbit", "2026-01-01"),)))
    assert "blinded/index.html" in page
    assert "R1: 1 of 2 patients" in page
    assert "reject: mask in the orbit" in page
    assert not re.search(r"sub-|ses-|baseline|follow-up", without_style(page))


def test_departures_that_name_patients_are_counted_while_it_is_blinded():
    named = [
        ("data", "file replaced: sub-01/ses-BL/anat/sub-01_ses-BL_T1w.nii.gz"),
        ("exclusions", "exclusion added: sub-02 everything (motion)"),
        ("exclusions", "exclusion added: sub-03 everything (motion)"),
        ("packages", "package scipy: 1 -> 2"),
    ]
    departures = [{"section": section, "text": text} for section, text in named]
    locked = {"when": "2026", "user": "ab", "host": "here"}
    told = {"plan": {"name": "p", "locked": locked, "sha256": "aa"}, "departures": departures, "packages": {}}
    page = without_style(cover(None, told))
    assert "package scipy: 1 -&gt; 2" in page
    assert "2 changed" in page
    assert not re.search(r"sub-|ses-", page)


def test_a_review_that_cannot_be_used_is_told_without_its_content_while_it_is_blinded():
    page = cover("review.tsv cannot be used:\n  line 2: sub-01 has no pictures")
    assert "review.tsv cannot be used" in page
    assert "sub-01" not in page


def test_packages_of_the_tables_that_depart_from_the_plan_are_told_once():
    told = {"plan": {"name": "p"}, "departures": [], "packages": {"scipy": "1.16.1", "python": "3.11"}}
    (one,) = describe_oversight(told, None, [], {}, RUN)["departures"]
    assert one == {"kind": "packages", "text": "package scipy: 1.16.1 -> 1.17.0 (in run.json)"}
    told["departures"] = [{"section": "packages", "text": "package scipy: 1.16.1 -> 1.17.0"}]
    assert len(describe_oversight(told, None, [], {}, RUN)["departures"]) == 1
