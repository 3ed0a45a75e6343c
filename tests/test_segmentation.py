import tracemalloc

import cv2
import numpy as np
import pytest

from serving import cells, context, runtime, segmentation
from serving.segmentation import Strip, read_lines
from zoo import charset, geometry, manuscript, ngram

SIZE = 64
EM = 60
SHAPES = "口十川一田日,"
"""What the fake recogniser knows: a box, a cross, three bars, a bar, a block, a barred box and a dot."""


def draw(character):
    """Ink of a character in its square, uint8 (EM, EM), paper white."""
    image = np.full((EM, EM), 255, np.uint8)
    low, high, middle, pen = 5, EM - 5, EM // 2, 5
    if character in "口日":
        cv2.rectangle(image, (low, low), (high - 1, high - 1), 0, pen)
    if character == "十":
        image[low:high, middle - 2 : middle + 3] = 0
    if character in "十日一":
        image[middle - 2 : middle + 3, low:high] = 0
    if character == "川":
        for column in (low, middle - 2, high - pen):
            image[low:high, column : column + pen] = 0
    if character == "田":
        image[low:high, low:high] = 0
    if character == ",":
        image[high - 14 : high - 4, middle - 5 : middle + 5] = 0
    return image


class FakeRecogniser:
    """Compares the ink of cells with the shapes that it knows; anything else it takes for any character at all."""

    def __init__(self, shapes=SHAPES):
        pad = round(0.06 * EM)
        known = [np.pad(draw(shape), pad, constant_values=255) for shape in shapes]
        self._known = np.stack([self._features(cv2.resize(image, (SIZE, SIZE))) for image in known])
        self._classes = charset.encode(shapes)
        self.batches = []

    def __call__(self, crops):
        self.batches.append(len(crops))
        self.crops = crops
        seen = np.stack([self._features(crop) for crop in crops])
        apart = np.abs(seen[:, None] - self._known[None]).mean(2)
        logits = np.zeros((len(crops), len(charset.CHARACTERS)), np.float32)
        logits[:, self._classes] = 20 * np.maximum(1 - apart / 0.3, 0)
        logits[:, 0] = 20 * (crops.min((1, 2)) > 200)
        return logits

    @staticmethod
    def _features(cell):
        """Width and height of the ink, and its picture."""
        rows, columns = np.nonzero(cell < 128)
        if not len(rows):
            return np.zeros(96)
        ink = cell[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        picture = cv2.resize(255 - ink, (8, 8), interpolation=cv2.INTER_AREA).ravel() / 255
        high, wide = np.array(ink.shape) / SIZE
        return np.concatenate([picture, [high] * 16, [wide] * 16])


def line(text, gap=6, margin=12, high=90):
    """A line of shapes and where each of them has its ink, (n, 2, 2): low and high corners (x, y)."""
    image = np.full((high, 2 * margin + (EM + gap) * len(text)), 255, np.uint8)
    boxes = []
    for place, character in enumerate(text):
        top, left = (high - EM) // 2, margin + place * (EM + gap)
        square = image[top : top + EM, left : left + EM]
        np.minimum(square, draw(character), out=square)
        rows, columns = np.nonzero(draw(character) < 128)
        boxes.append(
            [[left + columns.min(), top + rows.min()], [left + columns.max() + 1, top + rows.max() + 1]]
        )
    return image, np.array(boxes)


def text_of(segments):
    return "".join(charset.CHARACTERS[segment.alternatives[0][0]] for segment in segments)


def read(image, recogniser=None, **options):
    return read_lines([Strip(image, **options)], recogniser or FakeRecogniser(), SIZE)[0]


@pytest.mark.parametrize("text", ["口", "口十一口", "川口川日", "十,口,川,", "口" * 30])
@pytest.mark.parametrize("shift", [0, 7])
def test_characters_are_read_where_they_stand(text, shift):
    image, boxes = line(text)
    segments = read(np.pad(image, ((0, 0), (shift, 0)), constant_values=255))
    assert text_of(segments) == text
    found = np.stack([segment.quad[[0, 2]] for segment in segments])
    # Corners are edges of pixels, and pixels have whole numbers in their middles.
    np.testing.assert_allclose(found, np.add(boxes, [shift, 0]) - 0.5, atol=1)  # The soft edge of a stroke.


@pytest.mark.parametrize("scale", [0.45, 0.7, 1.4])
def test_any_size_of_strip_is_read(scale):
    image = cv2.resize(line("口十川日")[0], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert text_of(read(image)) == "口十川日"


def test_probabilities_are_those_of_the_characters():
    (segment,) = read(line("口")[0])
    assert len(segment.alternatives) == context.FOLLOWED
    shares = [share for _, share in segment.alternatives]
    assert shares == sorted(shares, reverse=True)
    assert 0.9 < shares[0] <= sum(shares) <= 1 + 1e-6  # Not all of them.


def test_touching_characters_are_cut():
    image, boxes = line("口十口", gap=-10)  # No blank between the squares' ink.
    assert cv2.connectedComponents((image < 128).astype(np.uint8))[0] - 1 == 1
    segments = read(image)
    assert text_of(segments) == "口十口"
    np.testing.assert_allclose(segments[1].quad[0, 0], boxes[1, 0, 0], atol=0.15 * EM)  # Within the stroke.


def test_a_mark_that_touches_a_character_is_cut_off_where_the_ink_changes():
    strokes = np.zeros((80, 88), bool)
    strokes[10:70, :50] = True  # A character, then the head of a question mark and its stem.
    strokes[34:46, 50:58] = strokes[38:42, 58:] = True
    assert min(abs(cut - 50) for cut in segmentation._cuts(strokes, EM)) <= 2
    assert 50 in segmentation._steps(strokes.sum(0).astype(np.float32), EM, 2, 7)
    assert segmentation._steps(np.full(88, 12, np.float32), EM, 2, 7) == []
    assert segmentation._steps(np.ones(2, np.float32), EM, 2, 7) == []  # Narrower than what is compared.


@pytest.mark.parametrize("grey", [0, 150])
def test_printed_rules_are_removed(grey):
    image, boxes = line("口十川,日口", gap=10)
    ruled = image.copy()
    ruled[80:82] = np.minimum(ruled[80:82], grey)
    ruled[8:10] = np.minimum(ruled[8:10], grey)
    squared = ruled.copy()
    for place in range(7):
        column = 7 + place * (EM + 10)
        squared[:, column : column + 2] = np.minimum(squared[:, column : column + 2], grey)
    for page in (ruled, squared):
        segments = read(page)
        assert text_of(segments) == "口十川,日口"
        np.testing.assert_allclose([segment.quad[0] + 0.5 for segment in segments], boxes[:, 0], atol=2)


def test_a_rule_through_the_characters_leaves_their_strokes():
    image, _ = line("口日口日")
    image[60:62] = 0
    assert text_of(read(image)) == "口日口日"


def test_a_single_stroke_is_no_rule():
    image, _ = line("一", margin=2, high=EM)
    assert text_of(read(image)) == "一"


def test_vertical_lines_are_read_as_horizontal_ones_transposed():
    image, boxes = line("口十口,口")
    across, down = FakeRecogniser(), FakeRecogniser("口十")
    horizontal = read(image, across)
    vertical = read(np.ascontiguousarray(image.T), down, direction="vertical")
    np.testing.assert_array_equal(down.crops, across.crops.transpose(0, 2, 1))
    for segment, (low, high) in zip(vertical, boxes, strict=True):
        np.testing.assert_allclose(segment.quad[[0, 2]], np.stack([low, high])[:, ::-1] - 0.5, atol=1)
    assert text_of(vertical).replace(text_of(vertical)[3], ",") == text_of(horizontal)
    # Corners run clockwise in both.
    assert all(cv2.contourArea(segment.quad, oriented=True) > 0 for segment in horizontal + vertical)


def test_a_character_of_several_parts_is_read_down_a_vertical_line():
    three = np.full((EM, EM), 255, np.uint8)
    for row in (5, 28, 50):
        three[row : row + 5, 5:55] = 0
    image = np.full((5 * EM, 80), 255, np.uint8)
    for place in range(4):
        image[20 + 66 * place : 20 + 66 * place + EM, 10 : 10 + EM] = three if place % 2 else draw("口")
    turned = np.ascontiguousarray(image.T)
    recogniser = FakeRecogniser()
    segments = read_lines(
        [Strip(image, "vertical")], lambda crops: recogniser(crops.transpose(0, 2, 1)), SIZE
    )[0]
    assert text_of(segments) == text_of(read(turned)) == "口川口川"


def test_two_strokes_down_a_column_are_one_character_and_not_two_dashes():
    def counts_strokes(crops):
        logits = np.zeros((len(crops), len(charset.CHARACTERS)), np.float32)
        for crop, row in zip(crops, logits, strict=True):
            ink = (crop < 128).astype(np.uint8)
            strokes, wide = cv2.connectedComponents(ink)[0] - 1, np.ptp(np.flatnonzero(ink.any(0)))
            high = np.ptp(np.flatnonzero(ink.any(1)))
            if strokes == 1 and high < wide / 2:
                row[charset.encode("—一")] = 12.4, 12.0  # A dash would be as likely.
            elif strokes < 3:
                row[charset.encode("口" if strokes == 1 else "二")] = 15
        return logits

    two = np.full((EM, EM), 255, np.uint8)
    for row in (6, 48):
        two[row : row + 4, 5:55] = 0
    image = np.full((5 * EM, 80), 255, np.uint8)
    for place in range(4):
        image[20 + 66 * place : 20 + 66 * place + EM, 10 : 10 + EM] = two if place % 2 else draw("口")
    assert text_of(read_lines([Strip(image, "vertical")], counts_strokes, SIZE)[0]) == "口二口二"


@pytest.mark.parametrize("shape", [(1, 1), (60, 3), (48, 400), (90, 2000)])
def test_a_strip_without_ink_has_no_characters(shape):
    def none_expected(crops):
        raise AssertionError("nothing is there to be read")

    paper = np.random.default_rng(0).integers(245, 256, shape).astype(np.uint8)
    for image in (np.full(shape, 255, np.uint8), np.full(shape, 180, np.uint8), paper):
        assert read(image, none_expected) == []


def test_what_is_read_as_an_empty_cell_is_dirt():
    def blank(crops):
        return np.tile(np.float32([9, 0, 0, 0]), (len(crops), 1))

    assert read(line("口十口")[0], blank) == []


def test_no_lines_give_none():
    assert read_lines([], FakeRecogniser(), SIZE) == []


def test_lines_share_batches_and_keep_their_order():
    recogniser = FakeRecogniser()
    blank = np.full((50, 300), 255, np.uint8)
    texts = ["口十", "", "川日口" * 12, "", "一"]
    strips = [Strip(line(text)[0] if text else blank) for text in texts]
    assert [text_of(segments) for segments in read_lines(strips, recogniser, SIZE)] == texts
    assert all(size == cells.BATCH for size in recogniser.batches[:-1])


@pytest.mark.parametrize("ink", ["characters", "bar"])
def test_a_wide_strip_takes_bounded_memory(ink):
    image = line("口十川日" * 25)[0]
    if ink == "bar":
        image[20:70] = 0
    recogniser = FakeRecogniser()
    recogniser(np.zeros((cells.BATCH, SIZE, SIZE), np.uint8))  # What it needs itself.
    tracemalloc.start()
    segments = read(image, recogniser)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if ink == "characters":
        assert text_of(segments) == "口十川日" * 25
    assert max(recogniser.batches) <= cells.BATCH
    assert peak < 80 * image.size + 40e6  # Some maps of the strip, and a batch with its logits.


def test_a_bigram_decides_between_look_alikes():
    pair = charset.encode("土士")
    box = charset.encode("口")[0]
    fake = FakeRecogniser("口十")

    def unsure(crops):
        logits = fake(crops)
        cross = charset.encode("十")[0]
        logits[:, pair[0]] = logits[:, cross]
        logits[:, pair[1]] = logits[:, cross] - 0.1 * (logits[:, cross] > 0)
        logits[:, cross] = 0
        return logits

    classes = len(charset.CHARACTERS)
    unigram = np.full(classes, 1 / (classes - 1))
    unigram[0] = 0
    starts = np.zeros(classes + 1, int)
    starts[box + 1 :] = 1
    bigram = ngram.Bigram(unigram, starts, np.array([pair[1]]), np.array([0.5]))
    strips = [Strip(line("口十十")[0])]
    assert text_of(read_lines(strips, unsure, SIZE)[0]) == "口土土"
    assert text_of(read_lines(strips, unsure, SIZE, bigram)[0]) == "口士土"
    assert text_of(read_lines(strips, unsure, SIZE, bigram, weight=0.0)[0]) == "口土土"


def test_only_what_is_in_doubt_on_the_path_is_looked_at_closely():
    cross, other = charset.encode("十土")
    first, closer = FakeRecogniser(), FakeRecogniser()

    def glance(crops):
        logits = first(crops)
        logits[:, other] = logits[:, cross] - 0.1 * (logits[:, cross] > 0)
        return logits

    def look(crops):
        logits = closer(crops)
        logits[:, other] = 1.5 * logits[:, cross]
        return logits

    strips = [Strip(line("口川口")[0]), Strip(line("口十口川十")[0])]
    assert [text_of(segments) for segments in read_lines(strips, glance, SIZE)] == ["口川口", "口十口川十"]
    found = read_lines(strips, glance, SIZE, closer=look)
    assert [text_of(segments) for segments in found] == ["口川口", "口土口川土"]
    assert found[1][1].alternatives[0][1] > found[1][1].alternatives[1][1]
    # Both crosses, and no more than what lies over them: of all candidates a small part.
    assert 2 <= sum(closer.batches) < sum(first.batches) / 4
    closer.batches.clear()
    read_lines(strips[:1], glance, SIZE, closer=look)
    assert closer.batches == []


def test_characters_that_a_training_added_are_beyond_the_bigram():
    added = len(charset.CHARACTERS)

    def recogniser(crops):
        logits = np.zeros((len(crops), added + 1), np.float32)
        logits[:, added] = 20
        return logits

    classes = len(charset.CHARACTERS)
    unigram = np.full(classes, 1 / (classes - 1))
    unigram[0] = 0
    bigram = ngram.Bigram(unigram, np.zeros(classes + 1, int), np.zeros(0, int), np.zeros(0))
    segments = read_lines([Strip(line("口口口")[0])], recogniser, SIZE, bigram)[0]
    assert [segment.alternatives[0][0] for segment in segments] == [added] * 3


@pytest.mark.parametrize(
    "image", [np.zeros((40, 90, 3), np.uint8), np.zeros((40, 90)), np.zeros((0, 90), np.uint8)]
)
def test_what_is_no_strip_is_refused(image):
    with pytest.raises(
        ValueError, match=r"`image` of a strip must be uint8 \(H, W\) with pixels\. Received: "
    ):
        read(image)


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_the_bundled_models_read_a_line_without_cells(examples, direction):
    preset = runtime.preset("hanzinet_m")
    session = preset.session(1)

    def recogniser(crops):
        return session.run({"image": crops[..., None]})["logits"] / preset.temperature

    # A row of a sheet; the printed lines of its cells are rules.
    page = cv2.imread(str(examples / "letter.jpg"), cv2.IMREAD_GRAYSCALE)
    grid = manuscript.find(page)
    flat = manuscript.flatten(page)
    if direction == "vertical":
        written = geometry.rectify(flat, grid.cells[1], 76)
        strip = np.vstack(list(written))
    else:
        first, last = grid.cells[1, 0], grid.cells[1, -1]
        strip, _ = geometry.straighten(flat, np.stack([first[0], last[1], last[2], first[3]]), 76)
    segments = read_lines([Strip(strip, direction)], recogniser, preset.size)[0]
    # Alone, the recogniser takes 有 for 布 here, and 白 for 自, which differ by a stroke.
    text = context.reread([segment.alternatives for segment in segments], context.load())
    found = "".join(preset.characters[label] for (label, _), *_ in text)
    assert found == charset.normalise((examples / "letter.txt").read_text(encoding="utf-8").split("\n")[1])
