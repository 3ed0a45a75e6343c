"""Figures by writer, kind and character; confusions; look-alikes."""

from itertools import combinations

import numpy as np
import pytest

from tests import made_hands
from training import confusions, metrics, pictures, reading
from training.sources import Glyphs
from zoo import charset, kinds


def _ids(text: str) -> np.ndarray:
    """The ids of characters; □ is the empty cell."""
    return np.array([0 if one == "□" else charset.encode(one)[0] for one in text])


def _answers(written: str, read: str, writer: str = "a") -> reading.Answers:
    """Answers whose second place is always 一."""
    best = np.stack([_ids(read), np.full(len(read), charset.encode("一")[0])], 1)
    return reading.Answers(writer, _ids(written), {"int8": best})


def _figures(*answers: reading.Answers) -> dict:
    return reading.figures(answers, "int8", charset.CHARACTERS)


def test_each_character_has_its_kind() -> None:
    examples = {
        "Chinese": "一龘〇繁",
        "bopomofo": "ㄅㄩㄧˇ˙ˉ",
        "digits": "09",
        "Latin": "aZé",
        "punctuation": "，。「+|℃_~※",
        "other": "あ",
    }
    for kind, text in examples.items():
        assert {kinds.kind(one) for one in text} == {kind}, text
    assert set(kinds.KINDS) == set(examples)
    assert "other" not in {kinds.kind(one) for one in charset.CHARACTERS[1:]}


def test_look_alikes_are_characters_of_the_charset() -> None:
    assert set("".join(kinds.LOOK_ALIKES)) <= set(charset.CHARACTERS)
    assert all(len(set(group)) == len(group) > 1 for group in kinds.LOOK_ALIKES)
    for group in kinds.LOOK_ALIKES:
        assert all(kinds.look_alike(*pair) for pair in combinations(group, 2))


def test_characters_with_another_shape_are_no_look_alikes() -> None:
    assert kinds.look_alike("天", "天")
    for first, second in ("天夭", "己已", "日曰", "aA", "09", "未末", "一|"):
        assert not kinds.look_alike(first, second), first + second
    assert not kinds.look_alike("一", "")


def test_the_best_answers_come_in_their_order() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
    np.testing.assert_array_equal(metrics.best(logits), np.argsort(-logits, 1)[:, :5])
    np.testing.assert_array_equal(metrics.best(np.array([[1.0, 3.0, 2.0]])), [[1, 2, 0]])


def test_each_writer_counts_alike_in_the_mean() -> None:
    found = _figures(_answers("天天天一", "天天夭一"), _answers("地一", "一夭", "b"))
    assert found["writers"]["a"] == {"samples": 4, "top1_int8": 0.75, "top5_int8": 0.75}
    assert found["writers"]["b"] == {"samples": 2, "top1_int8": 0, "top5_int8": 0.5}
    assert found["mean"] == {"top1_int8": 0.375, "top5_int8": 0.625}
    assert (found["samples"], found["classes"]) == (6, 3)


def test_look_alikes_count_as_one_in_a_figure_of_their_own() -> None:
    found = _figures(_answers("Oo。十天9", "0O0+夭□"))
    assert found["kinds"]["Latin"] == {"samples": 2, "top1": 0, "top5": 0, "top1_look_alikes": 1}
    assert found["kinds"]["punctuation"]["top1_look_alikes"] == 1
    assert found["kinds"]["Chinese"]["top1_look_alikes"] == 0.5
    assert found["kinds"]["digits"]["top1_look_alikes"] == 0
    assert list(found["kinds"]) == ["Chinese", "punctuation", "digits", "Latin"]


def test_both_directions_of_a_confusion_are_counted_together() -> None:
    first, second, last = confusions.count(_ids("己己己已已天天"), _ids("己已已己已夭□"))
    assert (first.mistakes, first.samples, first.read_as) == (3, (3, 2), (2, 1))
    assert charset.decode(first.classes) == "己已"
    # Of equally many mistakes, those of fewer samples come first; here both stand on two samples.
    assert {second.classes, last.classes} == {tuple(sorted(_ids("天夭"))), (0, _ids("天")[0])}
    assert confusions.count(_ids("天"), _ids("天")) == []


def test_mistakes_of_all_confusions_are_all_mistakes() -> None:
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(1, 9, 500), rng.integers(0, 9, 500)
    found = confusions.count(labels, answers)
    assert sum(one.mistakes for one in found) == np.sum(labels != answers)
    assert [one.mistakes for one in found] == sorted((one.mistakes for one in found), reverse=True)
    assert all(one.classes[0] < one.classes[1] for one in found)


def test_confusions_in_a_report_name_their_characters() -> None:
    (found,) = _figures(_answers("_天", "□天"))["confusions"]
    assert found == {"characters": ["", "_"], "mistakes": 1, "read_as": [0, 1], "samples": [0, 1]}


def test_each_character_has_its_commonest_mistake() -> None:
    table = reading.by_character(
        [_answers("天天天天", "夭夭一天"), _answers("地", "地", "b")], "int8", charset.CHARACTERS
    )
    assert table == {
        "天": {"samples": 4, "right": 1, "mistake": "夭", "mistakes": 2},
        "地": {"samples": 1, "right": 1, "mistake": None, "mistakes": 0},
    }


@pytest.fixture
def hand() -> Glyphs:
    rng = np.random.default_rng(0)
    text = "一二三一二三"
    return Glyphs("a", np.stack([made_hands.stroke_image(one, rng) for one in text]), _ids(text), real=True)


def _ink(sheet: np.ndarray, row: int) -> np.ndarray:
    """The columns of a row of a sheet of confusions in which a red frame stands."""
    rows = sheet[28 + 70 * row : 28 + 70 * (row + 1)].astype(int)
    return np.flatnonzero(((rows[..., 0] - rows[..., 1]) > 100).any(0))


def test_a_sheet_of_confusions_frames_the_mistakes(hand: Glyphs, tmp_path) -> None:
    sheet = pictures.confusion_sheet([hand], [_ids("二二三一一三")])
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3
    assert len(sheet) == 28 + 70  # one pair
    assert len(_ink(sheet, 0)) > 60  # 一 as 二, and 二 as 一
    assert np.ptp(_ink(sheet, 0)) > sheet.shape[1] / 3  # on both sides
    font = made_hands.write_font(tmp_path / "boxes.ttf", "一二")
    named = pictures.confusion_sheet([hand], [_ids("二二三一一三")], font=font)
    assert named.shape == sheet.shape
    assert not np.array_equal(named, sheet)


def test_a_sheet_shows_so_many_pairs_and_none_without_mistakes(hand: Glyphs) -> None:
    read = _ids("二三一□一一")
    assert len(pictures.confusion_sheet([hand], [read], pairs=2)) == 28 + 2 * 70
    right = pictures.confusion_sheet([hand], [hand.labels])
    assert len(right) == 28 + 70
    assert not len(_ink(right, 0))


def test_examples_stand_in_for_characters_that_were_never_read_right(hand: Glyphs) -> None:
    read = _ids("二二二二二二")  # 一 and 三 are never right.
    alone = pictures.confusion_sheet([hand], [read])
    helped = pictures.confusion_sheet([hand], [read], [hand])
    assert np.mean(helped != 255) > np.mean(alone != 255)
