"""Lines that are read as wholes. A stand-in knows what a strip says; the bundled recogniser parts columns."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from serving import Reader, both_styles, context, line_reader, lines, runtime, whole_lines
from tests import felt_tip
from zoo import charset, strips

CLASSES = len(charset.CHARACTERS)


class Session:
    """Answers the same characters along each strip, each at the middle of its square."""

    path = Path("stand-in.tflite")

    def __init__(self, text: str, step: float = 8.0, classes: int = CLASSES) -> None:
        self._ids, self._step, self._classes = charset.encode(text), step, classes
        self.widths: list[int] = []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        image = inputs["image"]
        self.widths.append(image.shape[2])
        logits = np.zeros((1, image.shape[2] // strips.STEP, self._classes), np.float32)
        logits[..., 0] = 16
        for place, label in enumerate(self._ids):
            step = int((place + 0.5) * self._step)
            if step < logits.shape[1]:
                logits[0, step, 0], logits[0, step, label] = 0, 16
        return {"logits": logits}


def _reader(session: Session) -> line_reader.LineReader:
    return line_reader.LineReader(session, runtime.preset("hanzinet_m"))


def _read_blank(session: Session, *widths: int) -> list[list[line_reader.Seen]]:
    """What the reader makes of strips without ink."""
    return _reader(session)(
        [np.full((64, width), 255, np.uint8) for width in widths],
        [np.zeros((64, width), np.uint8) for width in widths],
    )


def test_characters_stand_where_the_network_answers() -> None:
    (seen,) = _read_blank(Session("一二三"), 192)
    assert "".join(charset.CHARACTERS[one.alternatives[0][0]] for one in seen) == "一二三"
    assert [(one.start, one.stop) for one in seen] == [(0, 64), (64, 128), (128, 192)]
    for one in seen:
        assert one.alternatives[0][1] > 0.9
        assert sum(share for _, share in one.alternatives) <= 1 + 1e-6
        assert len({label for label, _ in one.alternatives}) == len(one.alternatives) == context.FOLLOWED


def test_equal_neighbours_are_two() -> None:
    (seen,) = _read_blank(Session("口口"), 128)
    assert len(seen) == 2


def test_strips_keep_their_order_and_come_in_few_widths() -> None:
    session = Session("一二三四五六七八")
    widths = [500, 60, 300, 130]
    read = _read_blank(session, *widths)
    assert [len(one) for one in read] == [8, 2, 5, 3]  # Some answers come behind the ink.
    assert session.widths == [256, 256, 512, 768]
    assert _read_blank(session) == []


def test_a_long_strip_is_read_in_parts_that_fit_together() -> None:
    class Ruler(Session):
        """Answers class 1 + x // 8 at step x // 8 of the whole strip, which the shade of the picture tells."""

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            columns = inputs["image"][0, 0, ::8, 0].astype(int) + 256 * inputs["image"][0, 1, ::8, 0].astype(
                int
            )
            self.widths.append(inputs["image"].shape[2])
            logits = np.zeros((1, len(columns), CLASSES), np.float32)
            logits[0, range(len(columns)), np.minimum(columns, CLASSES - 1)] = 9
            return {"logits": logits}

    steps = 1000
    image = np.zeros((64, steps * 8), np.uint8)
    image[0], image[1] = np.arange(steps).repeat(8) % 256, np.arange(steps).repeat(8) // 256
    session = Ruler("")
    logits = _reader(session).logits(image)
    assert logits.argmax(1).tolist() == list(range(steps))
    assert max(session.widths) == 2048


def test_a_model_of_other_classes_is_named() -> None:
    with pytest.raises(runtime.ModelError, match=r"stand-in\.tflite: .* Received: 7"):
        _read_blank(Session("", classes=7), 64)


@pytest.mark.parametrize("vertical", [False, True])
def test_a_line_is_read_as_a_whole(vertical: bool) -> None:
    text = "十口三二口"
    reader = Reader(threads=1, style="lines")
    # In a strip of a column each character has a square; a row is enlarged until its ink is as high as the strip.
    session = Session(text, 8.0 if vertical else 9.4)
    reader.__dict__["_line_reader"] = _reader(session)
    page = reader.read(felt_tip.line(text, vertical), layout="line")
    assert page.text == text
    assert page.direction == ("vertical" if vertical else "horizontal")
    boxes = np.array([one.box for one in page.lines[0].characters], float)
    along = boxes[:, :, 1 if vertical else 0]
    middles = 20 + 30 + felt_tip.STEP * np.arange(5)
    np.testing.assert_allclose((along.min(1) + along.max(1)) / 2, middles, atol=16)


@pytest.mark.parametrize(("text", "vertical"), [("十口三二", False), ("二十口三", False), ("二十口三", True)])
def test_the_bundled_line_reader_reads_a_line(text: str, vertical: bool) -> None:
    reader = Reader(threads=1, style="lines", context=False)
    page = reader.read(felt_tip.line(text, vertical), layout="line")
    assert page.text == text
    scores = [character.score for character in page.lines[0].characters]
    assert min(scores) > 0.5


def test_a_style_that_is_unknown_is_named() -> None:
    with pytest.raises(ValueError, match="`style` must be one of 'characters', 'lines'"):
        Reader(style="words")


def test_parts_of_a_long_strip_answer_as_the_whole_does() -> None:
    preset = runtime.preset(line_reader.MODEL)
    session = preset.session(1)
    strip = np.full((64, 2400), 255, np.uint8)
    for start in range(0, 2400 - 300, 300):
        strip[:, start : start + 300] = cv2.resize(felt_tip.line("十口三二")[..., 0], (300, 64))
    ours = line_reader.LineReader(session, preset).logits(strip)
    whole = session.run({"image": strip[None, ..., None]})["logits"][0]
    assert ours.shape == whole.shape
    # The last part is padded with paper, where the whole strip ends.
    np.testing.assert_allclose(ours[:-22] * preset.temperature, whole[:-22], atol=1e-3)


def test_a_column_without_characters_has_none() -> None:
    class Liar:
        def __call__(self, images: list[np.ndarray], inks: object) -> list[list[line_reader.Seen]]:
            return [[line_reader.Seen(0.0, 8.0, ((1, 1.0),))] for _ in images]

    flat = np.full((300, 80), 255, np.uint8)
    quad = np.array([[10, 10], [60, 10], [60, 290], [10, 290]], np.float32)
    assert whole_lines.read(flat, [quad], ["vertical"], [[]], Liar()) == [[]]
    # A row shows its room where it has no ink.
    (row,) = whole_lines.read(flat, [quad], ["horizontal"], [], Liar())
    assert row[0].quad.shape == (4, 2)


@pytest.mark.parametrize("strength", [1.0, 0.25])
def test_boxes_enclose_the_strokes_of_each_character_however_faint(strength: float) -> None:
    class Ruler:
        """Says that characters end half-way between two squares."""

        def __call__(self, images: list[np.ndarray], inks: object) -> list[list[line_reader.Seen]]:
            scale = images[0].shape[1] / width
            edges = [scale * (14 + felt_tip.STEP * number) for number in range(5)]
            return [[line_reader.Seen(a, b, ((1, 1.0),)) for a, b in itertools.pairwise(edges)]]

    drawn = felt_tip.line("十口三二")[..., 0].astype(float)
    flat = np.clip(250 - strength * (240 - drawn), 0, 255).astype(np.uint8)
    height, width = flat.shape
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    (row,) = whole_lines.read(flat, [quad], ["horizontal"], [], Ruler())
    for number, written in enumerate(row):
        left = 14 + felt_tip.STEP * number
        rows, columns = np.nonzero(drawn[:, left : left + felt_tip.STEP] < 200)
        expected = [left + columns.min(), rows.min(), left + columns.max(), rows.max()]
        np.testing.assert_allclose([*written.quad.min(0), *written.quad.max(0)], expected, atol=4)


def test_characters_are_parted_where_the_least_ink_is() -> None:
    strip = np.full((64, 160), 255, np.uint8)
    for left, right in ((4, 60), (66, 70), (90, 150)):  # Wide, narrow, wide, with a stroke apart inside.
        strip[10:50, left:right] = 0
    strip[:, 30:34] = 255
    edges = line_reader._edges((strip < 128).astype(np.uint8), np.array([32.0, 68.0, 120.0]))
    assert (edges[0], edges[-1]) == (0, 160)
    assert 60 <= edges[1] <= 66
    assert 70 <= edges[2] <= 90


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "both"),
        ({"style": "lines"}, "lines"),
        ({"style": "characters"}, "characters"),
        ({"model": "hanzinet_m"}, "characters"),
        ({"model": "hanzinet_m", "style": "lines"}, "lines"),
    ],
)
def test_a_picture_of_one_line_is_read_in_the_style_that_is_named_and_else_in_both(
    given: dict, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles = []
    for module, name in ((whole_lines, "lines"), (lines, "characters"), (both_styles, "both")):

        def read(flat: np.ndarray, quads: list, *_: object, name: str = name, **__: object) -> list[list]:
            styles.extend(name for _ in quads)
            return [[] for _ in quads]

        monkeypatch.setattr(module, "read", read)
    Reader(threads=1, **given).read(felt_tip.line("十口"), layout="line")
    assert styles == [expected]
