"""Counting, smoothing and pruning of pairs and triples of characters, their files and their chances."""

import lzma
import string
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from serving import context
from training import ngram
from zoo import charset
from zoo.ngram import BLANK, Bigram, Trigram

TEXT = "一二三，一二三。\n二三一二。\n"


def random_counts(classes: int = 40, length: int = 3000, seed: int = 0) -> ngram.Counts:
    """Of a text in which each class prefers few others."""
    rng = np.random.default_rng(seed)
    liked = rng.integers(1, classes, (classes, 6))
    text = [1]
    for _ in range(length):
        text.append(
            int(liked[text[-1], rng.integers(6)]) if rng.random() < 0.9 else int(rng.integers(1, classes))
        )
    triples, seen = np.unique(np.stack([text[:-2], text[1:-1], text[2:]], axis=1), axis=0, return_counts=True)
    return ngram.Counts(pairs_of(triples[:, 1], triples[:, 2], seen, classes), triples, seen)


def pairs_of(before: np.ndarray, after: np.ndarray, seen: np.ndarray, classes: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((seen, (before, after)), shape=(classes, classes))


def alone(pairs: sparse.csr_matrix) -> ngram.Counts:
    """Pairs without triples."""
    return ngram.Counts(pairs, np.zeros((0, 3), np.int64), np.zeros(0, np.int64))


def load(content: bytes, folder: Path) -> Trigram:
    (folder / "loaded.npz").write_bytes(content)
    return Trigram.load(folder / "loaded.npz")


def load_file(path: Path) -> Bigram:
    """The pairs of a file."""
    return Trigram.load(path).bigram


def test_pairs_are_counted_within_lines() -> None:
    counts = ngram.count(["一二一二", "二，?一"]).pairs
    one, two, comma, mark = charset.encode("一二，?")
    assert counts[one, two] == 2
    assert counts[two, one] == 1
    assert counts[two, comma] == 1
    assert counts[mark, one] == 1
    assert counts.sum() == 6
    assert ngram.count(["一龘二"]).pairs.sum() == 0  # 龘 has no class
    assert ngram.count([]).pairs.sum() == 0


def test_triples_are_counted_within_lines() -> None:
    one, two, three = charset.encode("一二三")
    counts = ngram.count(["一二三", "一二三一", "二龘一二"])
    triples = {tuple(triple): seen for triple, seen in zip(counts.triples.tolist(), counts.seen, strict=True)}
    assert triples == {(BLANK, one, two): 3, (one, two, three): 2, (two, three, one): 1}
    again = counts + ngram.count(["二三一"])
    assert again.seen[again.triples.tolist().index([two, three, one])] == 2
    assert again.seen.sum() == again.pairs.sum() == 8


def test_what_follows_a_character_sums_to_one(tmp_path: Path) -> None:
    made = load(ngram.build(random_counts()), tmp_path)
    assert len(made.triples)
    classes = made.bigram.classes
    before, previous, every = (
        np.arange(classes)[:, None, None],
        np.arange(classes)[:, None],
        np.arange(1, classes),
    )
    assert np.exp(made.bigram.log_probability(previous, every)).sum(-1) == pytest.approx(np.ones(classes))
    chances = np.exp(made.log_probability(before, previous, every))
    assert chances.sum(-1) == pytest.approx(np.ones((classes, classes)))


def test_smoothing_follows_kneser_and_ney(tmp_path: Path) -> None:
    # 1 is seen before 2 only, but often; 3 is seen after three different characters.
    counts = np.zeros((6, 6), int)
    counts[1, 2], counts[1, 3], counts[2, 3], counts[4, 3] = 40, 2, 1, 1
    made = load(ngram.build(alone(sparse.csr_matrix(counts))), tmp_path).bigram
    after_one = np.exp(made.log_probability(1, [2, 3, 5]))
    assert after_one[0] == pytest.approx(40 / 42, abs=0.06)  # the discount, and 256 levels
    assert after_one[1] > 5 * after_one[2] > 0
    companions = np.exp(made.log_probability(0, [2, 3, 5]))
    np.testing.assert_allclose(companions / companions[2], [3, 7, 1], rtol=1e-5)  # 1, 3 and 0, and a half


def test_a_smaller_limit_keeps_the_pairs_that_tell_most(tmp_path: Path) -> None:
    counts = random_counts(length=9000)
    whole = ngram.build(counts)
    small = ngram.build(counts, limit=len(whole) // 3)
    assert len(small) <= len(whole) // 3
    large, pruned = load(whole, tmp_path), load(small, tmp_path)
    assert 0 < len(pruned.bigram.pairs) < len(large.bigram.pairs)
    assert 0 < len(pruned.triples) < len(large.triples)
    models = (
        large.log_probability,
        pruned.log_probability,
        lambda _, *last: pruned.bigram.log_probability(*last),
    )
    figures = [ngram.perplexity(model, counts) for model in models]
    assert figures == sorted(figures)


def test_training_measures_lines_that_it_did_not_see(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 200, encoding="utf-8")
    out = tmp_path / "out.npz"
    figures = ngram.train([tmp_path / "text.txt"], out)
    assert out.stat().st_size == figures["bytes"] <= 2_000_000
    assert figures["characters"] == 200 * 11 - 20 * 4  # every twentieth line, 二三一二。, is held out
    assert 1 <= figures["perplexity"] <= figures["perplexity_bigram"] < 2.5 < figures["perplexity_unigram"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npz", "text.txt"]
    one, two, three = charset.encode("一二三")
    assert load_file(out).log_probability(one, [two])[0] > np.log(0.9)
    assert load_file(out).log_probability(two, [three])[0] > np.log(0.5)


def test_plain_and_compressed_text_give_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT * 20, encoding="utf-8")
    with lzma.open(tmp_path / "b.txt.xz", "wt", encoding="utf-8") as file:
        file.write(TEXT * 20)
    first = ngram.train([tmp_path / "a.txt"], tmp_path / "a.npz")
    assert first == ngram.train([tmp_path / "b.txt.xz"], tmp_path / "b.npz")
    a, b = load_file(tmp_path / "a.npz"), load_file(tmp_path / "b.npz")
    every = np.arange(1, a.classes)
    for previous in charset.encode("一二三，。"):
        np.testing.assert_array_equal(a.log_probability(previous, every), b.log_probability(previous, every))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("latin.txt", "é\n".encode("latin-1") * 40, r"latin\.txt: this is no UTF-8 text"),
        ("short.txt.xz", lzma.compress(TEXT.encode() * 99)[:-20], r"short\.txt\.xz: this is no UTF-8 text"),
        ("noise.txt.xz", b"noise", r"noise\.txt\.xz: this is no UTF-8 text"),
        ("empty.txt", b"", "must hold at least 20 lines"),
        ("few.txt", TEXT.encode(), "must hold at least 20 lines"),
    ],
)
def test_text_that_teaches_nothing_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "out.npz").write_bytes(b"the file before")
    with pytest.raises(ValueError, match=message):
        ngram.train([tmp_path / name], tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_bytes() == b"the file before"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 20, encoding="utf-8")
    (tmp_path / "out.npz").write_bytes(b"the file before")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_bytes() == b"the file before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npz", "text.txt"]


def test_a_limit_without_room_is_named() -> None:
    with pytest.raises(ValueError, match="`limit` must be at least"):
        ngram.build(random_counts(), limit=100)


def test_words_teach_what_stands_within_them_and_leave_open_what_follows(tmp_path: Path) -> None:
    one, two, three, four = charset.encode("一二三四")
    (tmp_path / "words").write_text(
        "# made by hand\n一二 30 ㄧ ㄦˋ\n三 9\n四二三\t6\n龘二 7\n", encoding="utf-8"
    )
    counts = ngram.count_words(tmp_path / "words")
    pairs = counts.pairs
    assert pairs[one, two] == 30
    assert pairs[four, two] == pairs[two, three] == 6
    assert (pairs[two, 0], pairs[three, 0]) == (30, 6)
    assert (counts.triples.tolist(), counts.seen.tolist()) == ([[four, two, three]], [6])
    made = load(ngram.build(counts), tmp_path).bigram
    after_two = np.exp(made.log_probability(two, np.arange(1, made.classes)))
    assert after_two.sum() == pytest.approx(1)
    assert after_two[three - 1] < 0.5 < np.exp(made.log_probability(one, [two]))[0]


def test_words_may_be_far_more_than_the_text(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 20, encoding="utf-8")
    rng = np.random.default_rng(0)
    some = np.array(list("天地人日月星山水"))
    words = {"".join(rng.choice(some, length)) for length in rng.integers(2, 5, 400)}
    lines = "".join(f"{word} {rng.integers(1, 900)}\n" for word in sorted(words))
    (tmp_path / "words").write_text(lines, encoding="utf-8")
    ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz", words=tmp_path / "words")
    made = Trigram.load(tmp_path / "out.npz")
    sky, earth = charset.encode("天地")
    chances = np.exp(made.log_probability(sky, earth, np.arange(1, made.bigram.classes)))
    assert chances.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("一二 often\n", "a word and its frequency"),
        ("一二 99999999999999999999\n", "a word and its frequency"),
        ("一 3\n", "must hold words of two"),
    ],
)
def test_a_list_without_words_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "words").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        ngram.count_words(tmp_path / "words")


def test_words_join_text(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 200, encoding="utf-8")
    (tmp_path / "words").write_text("四五 3\n", encoding="utf-8")
    four, five = charset.encode("四五")
    chances = []
    for words in (None, tmp_path / "words"):
        ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz", words=words)
        chances.append(np.exp(load_file(tmp_path / "out.npz").log_probability(four, [five]))[0])
    assert chances[0] < 0.01 < 0.4 < chances[1]


def test_digits_and_letters_stand_together(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 200, encoding="utf-8")
    ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz")
    made = load_file(tmp_path / "out.npz")
    p, h, stop = charset.encode("Ph。")
    assert made.log_probability(p, [h])[0] > made.log_probability(p, [stop])[0]
    one = charset.encode("一")[0]  # Nobody wrote letters after it.
    (dragon,) = charset.encode("龍")
    assert made.log_probability(one, [h])[0] - made.log_probability(one, [dragon])[0] == pytest.approx(
        np.log(made.unigram[h] / made.unigram[dragon])
    )
    assert made.log_probability(one, [h])[0] < made.log_probability(p, [h])[0] - 2
    g, six = charset.encode("g6")
    assert made.log_probability(six, [g])[0] > made.log_probability(one, [g])[0] + 2


def test_text_without_digits_leaves_room_for_them(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 200, encoding="utf-8")
    ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz")
    digits = charset.encode(string.digits)
    raised = load_file(tmp_path / "out.npz").unigram
    assert raised[digits].sum() == pytest.approx(0.005, rel=0.02)
    assert raised.sum() == pytest.approx(1)
    bundled = Trigram.load(context.FILE).bigram.unigram
    assert bundled[digits].sum() == pytest.approx(0.005, rel=0.02)
    assert bundled[charset.encode(string.ascii_letters)].sum() == pytest.approx(0.002, rel=0.02)


def test_marks_that_may_stand_in_the_same_place_share_their_counts(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("天月。人（日）月。天人，日月，人。\n" * 400, encoding="utf-8")
    ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz")
    made = load_file(tmp_path / "out.npz")
    moon, person, stop, comma, exclaims, opens, percent = charset.encode("月人。，！「%")
    stops, commas, exclamations, percents = made.log_probability(moon, [stop, comma, exclaims, percent])
    # Nobody exclaims in this text, nor counts hundredths.
    assert stops > commas > exclamations > percents + 1
    assert made.log_probability(person, [opens])[0] > made.log_probability(person, [percent])[0] + 1
    after = [made.log_probability(mark, [person])[0] for mark in (stop, exclaims, percent)]
    assert after[0] > after[1] > after[2] + 1


def test_lines_that_measure_a_reader_teach_nothing(tmp_path: Path) -> None:
    secret = "天地玄黃，宇宙洪荒"
    (tmp_path / "text.txt").write_text(TEXT * 200 + f"{secret}。\n" * 50, encoding="utf-8")
    (tmp_path / "dev.txt").write_text(f"日月{secret[:3]}\n{secret[3:]}\n", encoding="utf-8")
    first, second = charset.encode("洪荒")
    chances = []
    for without in ((), (tmp_path / "dev.txt",)):
        ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz", without=without)
        chances.append(np.exp(load_file(tmp_path / "out.npz").log_probability(first, [second]))[0])
    assert chances[1] < 0.01 < 0.9 < chances[0]
    (tmp_path / "short.txt").write_text("天地\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"short\.txt: must hold 8 Chinese"):
        ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz", without=[tmp_path / "short.txt"])


def test_triples_tell_what_pairs_do_not(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("天日月，天日月，人日星，人日星。\n" * 200, encoding="utf-8")
    figures = ngram.train([tmp_path / "text.txt"], tmp_path / "out.npz")
    made = Trigram.load(tmp_path / "out.npz")
    sky, person, sun, moon, star, comma = charset.encode("天人日月星，")
    assert figures["triples"] >= 2
    for before, likely, other in ((sky, moon, star), (person, star, moon)):
        chances = np.exp(made.log_probability(before, sun, [likely, other]))
        assert chances[0] > 0.9 > 0.1 > chances[1] > 0
    # A mark before them, an unknown character, and one that a training added leave it to the pair.
    pair = made.bigram.log_probability(sun, [moon, star])
    for before in (comma, BLANK, 9999):
        np.testing.assert_allclose(made.log_probability(before, sun, [moon, star]), pair)


@pytest.mark.slow
def test_law_and_poems_fit_in_two_megabytes(shared: Path, tmp_path: Path) -> None:
    texts = [shared / "text" / "law.txt.xz", shared / "text" / "poems.txt.xz"]
    figures = ngram.train(texts, tmp_path / "both.npz")
    assert figures["bytes"] <= 2_000_000
    assert figures["perplexity"] < figures["perplexity_bigram"] < 150 < figures["perplexity_unigram"]


def test_what_follows_a_class_sums_to_one() -> None:
    bigram = Bigram(np.array([0, 0.2, 0.3, 0.5]), [0, 0, 2, 2, 3], [1, 3, 2], [0.5, 0.25, 0.9])
    every = np.arange(1, 4)
    for previous in range(4):
        assert np.exp(bigram.log_probability(previous, every)).sum() == pytest.approx(1)
    np.testing.assert_allclose(
        np.exp(bigram.log_probability(1, [3, 1])), [0.25 + 0.25 * 0.5, 0.5 + 0.25 * 0.2]
    )
    np.testing.assert_allclose(np.exp(bigram.log_probability(BLANK, every)), [0.2, 0.3, 0.5])


def test_characters_that_a_training_added_are_as_likely_as_most_that_never_followed() -> None:
    bigram = Bigram(np.array([0, 0.2, 0.3, 0.5]), [0, 0, 2, 2, 3], [1, 3, 2], [0.5, 0.25, 0.9])
    np.testing.assert_allclose(np.exp(bigram.log_probability(1, [9, 1])), [0.25 * 0.3, 0.5 + 0.25 * 0.2])
    np.testing.assert_allclose(np.exp(bigram.log_probability(9, [1, 7])), [0.2, 0.3])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unigram": [0.1, 0.2, 0.7]}, "must be 0 for the blank"),
        ({"unigram": [0, 0, 1]}, "above 0 for the others"),
        ({"starts": [0, 0, 1]}, "one more number"),
        ({"starts": [0, 1, 1, 1]}, "give the blank no pairs"),
        ({"starts": [0, 0, 2, 2]}, "as many classes"),
        ({"following": [0]}, "other than the blank"),
        ({"following": [3]}, "other than the blank"),
        ({"shares": [1.0]}, "sum to less than 1"),
        ({"starts": [0, 0, 2, 2], "following": [2, 1], "shares": [0.1, 0.1]}, "must ascend"),
    ],
)
def test_a_bigram_that_does_not_add_up_is_named(changes: dict, message: str) -> None:
    whole = {"unigram": [0, 0.5, 0.5], "starts": [0, 0, 1, 1], "following": [2], "shares": [0.5]}
    with pytest.raises(ValueError, match=message):
        Bigram(**{name: np.array(value) for name, value in (whole | changes).items()})


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "noise.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ValueError, match=r"noise\.npz: this is no n-gram file"):
        Trigram.load(tmp_path / "noise.npz")
    np.savez(tmp_path / "other.npz", unigram=np.zeros(3))
    with pytest.raises(ValueError, match="it lacks continued, gaps, levels, starts, step, third_gaps"):
        Trigram.load(tmp_path / "other.npz")
    whole = np.load(context.FILE)
    for name, damage in (
        ("starts", lambda starts: np.roll(starts, 2_000)),
        ("starts", lambda starts: starts * 10_000),
        ("gaps", lambda gaps: gaps + 1),
        ("third_gaps", lambda gaps: gaps[:-1]),
        ("continued", lambda continued: continued[:-1]),
        ("levels", lambda levels: levels[:-1]),
    ):
        np.savez(tmp_path / "damaged.npz", **(dict(whole) | {name: damage(whole[name])}))
        with pytest.raises(ValueError, match=r"damaged\.npz: this is no n-gram file"):
            Trigram.load(tmp_path / "damaged.npz")
    with pytest.raises(FileNotFoundError):
        Trigram.load(tmp_path / "missing.npz")


def test_triples_are_weighed_against_the_pair_that_ends_them() -> None:
    bigram = Bigram(np.array([0, 0.2, 0.3, 0.5]), [0, 0, 2, 2, 3], [1, 3, 2], [0.5, 0.25, 0.9])
    trigram = Trigram(bigram, [0, 1, 1, 3], [2, 1, 3], [0.6, 0.3, 0.3])  # After 1 1 and after 3 2.
    pair = np.exp(bigram.log_probability(2, np.arange(1, 4)))
    found = np.exp(trigram.log_probability(3, 2, np.arange(1, 4)))
    np.testing.assert_allclose(found, [0.3, 0, 0.3] + 0.4 * pair)
    together = trigram.log_probability(np.arange(4)[:, None, None], np.arange(4)[:, None], np.arange(1, 4))
    assert together.shape == (4, 4, 3)
    np.testing.assert_allclose(np.exp(together[3, 2]), found)
    assert np.exp(together).sum(-1) == pytest.approx(np.ones((4, 4)))
    text = [np.array([3, 2]), np.array([1]), np.array([2, 3, 9]), np.array([1, 2])]
    befores = [np.array([BLANK]), *text]
    for before, previous, following, step in zip(
        befores, text, text[1:], trigram.along(text, weight=0.8), strict=False
    ):
        logs = trigram.log_probability(before[:, None, None], previous[:, None], following)
        reached, left = np.random.default_rng(0).random((2, len(before), len(previous), len(following)))
        reached, left = reached[..., 0], left[0]
        np.testing.assert_allclose(step.onward(reached), np.einsum("ab,abc->bc", reached, np.exp(0.8 * logs)))
        np.testing.assert_allclose(step.back(left), np.einsum("bc,abc->ab", left, np.exp(0.8 * logs)))
    added = np.exp(trigram.log_probability(3, 2, [9]))
    np.testing.assert_allclose(added, 0.4 * np.exp(bigram.log_probability(2, [9])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"starts": [0, 1]}, "one more number than `bigram` has pairs"),
        ({"starts": [1, 1, 1]}, "ascend from 0"),
        ({"starts": [0, 2, 2]}, "as many classes"),
        ({"following": [5]}, "other than the blank"),
        ({"shares": [1.0]}, "sum to less than 1"),
    ],
)
def test_a_trigram_that_does_not_add_up_is_named(changes: dict, message: str) -> None:
    bigram = Bigram(np.array([0, 0.5, 0.5]), [0, 0, 1, 2], [2, 1], [0.5, 0.5])
    whole = {"starts": [0, 0, 1], "following": [2], "shares": [0.5]}
    with pytest.raises(ValueError, match=message):
        Trigram(bigram, **{name: np.array(value) for name, value in (whole | changes).items()})


def test_numbers_keep_their_marks_and_letters() -> None:
    trigram = Trigram.load(context.FILE)
    for text in ("36.5", "10:30", "2,500", "5/16", "16GB", "A12", "iPhone"):
        ids = charset.encode(text)
        chances = trigram.log_probability(ids[:-2], ids[1:-1], ids[2:])
        assert chances.min() > np.log(0.001), text  # A place among 4,971 characters has ln P = -8.5.
