"""Lines that are read as wholes. A stand-in knows what a strip says; the bundled recogniser parts columns."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from serving import Reader, line_reader, lines, runtime, whole_lines
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


def test_characters_stand_where_the_network_answers() -> None:
    (seen,) = _reader(Session("一二三"))([np.full((64, 192), 255, np.uint8)])
    assert "".join(charset.CHARACTERS[one.alternatives[0][0]] for one in seen) == "一二三"
    assert [(one.start, one.stop) for one in seen] == [(0, 68), (68, 132), (132, 192)]
    for one in seen:
        assert one.alternatives[0][1] > 0.9
        assert sum(share for _, share in one.alternatives) <= 1 + 1e-6
        assert len({label for label, _ in one.alternatives}) == len(one.alternatives) == 8


def test_equal_neighbours_are_two() -> None:
    (seen,) = _reader(Session("口口"))([np.full((64, 128), 255, np.uint8)])
    assert len(seen) == 2


def test_strips_keep_their_order_and_come_in_few_widths() -> None:
    session = Session("一二三四五六七八")
    widths = [500, 60, 300, 130]
    read = _reader(session)([np.full((64, width), 255, np.uint8) for width in widths])
    assert [len(one) for one in read] == [8, 2, 5, 3]  # Some answers come behind the ink.
    assert session.widths == [256, 256, 512, 768]
    assert _reader(session)([]) == []


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
        _reader(Session("", classes=7))([np.full((64, 64), 255, np.uint8)])


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


@pytest.mark.parametrize("vertical", [False, True])
def test_the_bundled_line_reader_reads_a_line(vertical: bool) -> None:
    reader = Reader(threads=1, style="lines", context=False)
    page = reader.read(felt_tip.line("十口三二", vertical), layout="line")
    assert page.text == "十口三二"
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
        def __call__(self, images: list[np.ndarray]) -> list[list[line_reader.Seen]]:
            return [[line_reader.Seen(0.0, 8.0, ((1, 1.0),))] for _ in images]

    flat = np.full((300, 80), 255, np.uint8)
    quad = np.array([[10, 10], [60, 10], [60, 290], [10, 290]], np.float32)
    cells = Reader(threads=1)._recogniser
    assert whole_lines.read(flat, [quad], ["vertical"], Liar(), cells.logits, cells.size) == [[]]
    # A row shows its room where it has no ink.
    (row,) = whole_lines.read(flat, [quad], ["horizontal"], Liar(), cells.logits, cells.size)
    assert row[0].quad.shape == (4, 2)


def test_columns_may_keep_what_their_parting_reads() -> None:
    class Liar:
        def __call__(self, images: list[np.ndarray]) -> list[list[line_reader.Seen]]:
            return [[line_reader.Seen(0.0, 64.0, ((7, 1.0),))] for _ in images]

    across, down = felt_tip.line("十口")[..., 0], felt_tip.line("十口", vertical=True)[..., 0]
    height, width = max(len(across), len(down)), across.shape[1] + down.shape[1]
    flat = np.full((height, width), 255, np.uint8)
    flat[: len(down), : down.shape[1]] = down
    flat[: len(across), down.shape[1] :] = across
    places = ((0, down.shape[1], len(down)), (down.shape[1], width, len(across)))
    quads = [
        np.array([[left, 0], [right, 0], [right, low], [left, low]], np.float32)
        for left, right, low in places
    ]
    cells = Reader(threads=1)._recogniser
    read = [
        [
            [one.alternatives[0][0] for one in line]
            for line in whole_lines.read(
                flat, quads, ["vertical", "horizontal"], Liar(), cells.logits, cells.size, columns=columns
            )
        ]
        for columns in (True, False)
    ]
    assert read == [[[7], [7]], [charset.encode("十口"), [7]]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "lines"),
        ({"style": "characters"}, "characters"),
        ({"model": "hanzinet_m"}, "characters"),
        ({"model": "hanzinet_m", "style": "lines"}, "lines"),
    ],
)
def test_a_picture_of_one_line_is_read_as_a_whole_where_nothing_else_is_named(
    given: dict, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles = []
    for module, name in ((whole_lines, "lines"), (lines, "characters")):
        monkeypatch.setattr(module, "read", lambda *_, name=name, **__: styles.append(name) or [[]])
    Reader(threads=1, **given).read(felt_tip.line("十口"), layout="line")
    assert styles == [expected]
