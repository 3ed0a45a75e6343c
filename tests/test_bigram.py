"""Counting, smoothing and pruning of bigrams, and their files."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from training import bigram
from zoo import charset
from zoo.ctc import Bigram

TEXT = "一二三，一二三。\n二三一二。\n"


def random_counts(classes: int = 40, pairs: int = 300, seed: int = 0) -> "bigram.sparse.csr_matrix":
    rng = np.random.default_rng(seed)
    before, after = rng.integers(1, classes, (2, pairs))
    entries = (rng.geometric(0.3, pairs), (before, after))
    return bigram.sparse.csr_matrix(entries, shape=(classes, classes))


def load(content: bytes, folder: Path) -> Bigram:
    (folder / "loaded.npz").write_bytes(content)
    return Bigram.load(folder / "loaded.npz")


def test_pairs_are_counted_within_lines() -> None:
    counts = bigram.count(["一二一二", "二，?一"])
    one, two, comma, mark = charset.encode("一二，?")
    assert counts[one, two] == 2
    assert counts[two, one] == 1
    assert counts[two, comma] == 1
    assert counts[mark, one] == 1
    assert counts.sum() == 6
    assert bigram.count(["一龘二"]).sum() == 0  # 龘 has no class
    assert bigram.count([]).sum() == 0


def test_what_follows_a_character_sums_to_one(tmp_path: Path) -> None:
    made = load(bigram.build(random_counts()), tmp_path)
    every = np.arange(1, made.classes)
    for previous in range(made.classes):
        assert np.exp(made.log_probability(previous, every)).sum() == pytest.approx(1)


def test_smoothing_follows_kneser_and_ney(tmp_path: Path) -> None:
    # 1 is seen before 2 only, but often; 3 is seen after three different characters.
    counts = np.zeros((6, 6), int)
    counts[1, 2], counts[1, 3], counts[2, 3], counts[4, 3] = 40, 2, 1, 1
    made = load(bigram.build(bigram.sparse.csr_matrix(counts)), tmp_path)
    after_one = np.exp(made.log_probability(1, [2, 3, 5]))
    assert after_one[0] == pytest.approx(40 / 42, abs=0.06)  # the discount, and 256 levels
    assert after_one[1] > 5 * after_one[2] > 0
    companions = np.exp(made.log_probability(0, [2, 3, 5]))
    np.testing.assert_allclose(companions / companions[2], [3, 7, 1], rtol=1e-5)  # 1, 3 and 0, and a half


def test_a_smaller_limit_keeps_the_pairs_that_tell_most(tmp_path: Path) -> None:
    counts = random_counts(pairs=900)
    whole = bigram.build(counts)
    small = bigram.build(counts, limit=len(whole) * 2 // 3)
    assert len(small) <= len(whole) * 2 // 3
    large, pruned = load(whole, tmp_path), load(small, tmp_path)
    assert 0 < len(pruned.following) < len(large.following)
    alone = bigram._without_pairs(large)
    figures = [bigram.perplexity(model, counts) for model in (large, pruned, alone)]
    assert figures == sorted(figures)


def test_training_measures_lines_that_it_did_not_see(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 200, encoding="utf-8")
    out = tmp_path / "out.npz"
    figures = bigram.train([tmp_path / "text.txt"], out)
    assert out.stat().st_size == figures["bytes"] <= 2_000_000
    assert figures["characters"] == 200 * 11 - 20 * 4  # every twentieth line, 二三一二。, is held out
    assert 1 <= figures["perplexity"] < 2.5 < figures["perplexity_unigram"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npz", "text.txt"]
    one, two, three = charset.encode("一二三")
    assert Bigram.load(out).log_probability(one, [two])[0] > np.log(0.9)
    assert Bigram.load(out).log_probability(two, [three])[0] > np.log(0.5)


def test_plain_and_compressed_text_give_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT * 20, encoding="utf-8")
    with lzma.open(tmp_path / "b.txt.xz", "wt", encoding="utf-8") as file:
        file.write(TEXT * 20)
    first = bigram.train([tmp_path / "a.txt"], tmp_path / "a.npz")
    assert first == bigram.train([tmp_path / "b.txt.xz"], tmp_path / "b.npz")
    a, b = Bigram.load(tmp_path / "a.npz"), Bigram.load(tmp_path / "b.npz")
    np.testing.assert_array_equal(a.shares, b.shares)


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
        bigram.train([tmp_path / name], tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_bytes() == b"the file before"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 20, encoding="utf-8")
    (tmp_path / "out.npz").write_bytes(b"the file before")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        bigram.train([tmp_path / "text.txt"], tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_bytes() == b"the file before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npz", "text.txt"]


def test_a_limit_without_room_is_named() -> None:
    with pytest.raises(ValueError, match="`limit` must be at least"):
        bigram.build(random_counts(), limit=100)


def test_words_teach_what_stands_within_them_and_leave_open_what_follows(tmp_path: Path) -> None:
    one, two, three, four = charset.encode("一二三四")
    (tmp_path / "words").write_text(
        "# made by hand\n一二 30 ㄧ ㄦˋ\n三 9\n四二三\t6\n龘二 7\n", encoding="utf-8"
    )
    counts = bigram.count_words(tmp_path / "words")
    assert counts[one, two] == 30
    assert counts[four, two] == counts[two, three] == 6
    assert (counts[two, 0], counts[three, 0]) == (30, 6)
    made = load(bigram.build(counts), tmp_path)
    after_two = np.exp(made.log_probability(two, np.arange(1, made.classes)))
    assert after_two.sum() == pytest.approx(1)
    assert after_two[three - 1] < 0.5 < np.exp(made.log_probability(one, [two]))[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [("一二 often\n", "a word and its frequency"), ("一 3\n", "must hold words of two")],
)
def test_a_list_without_words_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "words").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        bigram.count_words(tmp_path / "words")


def test_words_join_text(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 200, encoding="utf-8")
    (tmp_path / "words").write_text("四五 3\n", encoding="utf-8")
    four, five = charset.encode("四五")
    chances = []
    for words in (None, tmp_path / "words"):
        bigram.train([tmp_path / "text.txt"], tmp_path / "out.npz", words=words)
        chances.append(np.exp(Bigram.load(tmp_path / "out.npz").log_probability(four, [five]))[0])
    assert chances[0] < 0.01 < 0.4 < chances[1]


def test_digits_and_letters_stand_together(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 200, encoding="utf-8")
    bigram.train([tmp_path / "text.txt"], tmp_path / "out.npz")
    made = Bigram.load(tmp_path / "out.npz")
    p, h, stop = charset.encode("Ph。")
    assert made.log_probability(p, [h])[0] > made.log_probability(p, [stop])[0]
    one = charset.encode("一")[0]  # Nobody wrote letters after it.
    assert made.log_probability(one, [h])[0] == pytest.approx(
        made.log_probability(one, charset.encode("龍"))[0]
    )


def test_marks_that_may_stand_in_the_same_place_share_their_counts(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("天月。人（日）月。天人，日月，人。\n" * 400, encoding="utf-8")
    bigram.train([tmp_path / "text.txt"], tmp_path / "out.npz")
    made = Bigram.load(tmp_path / "out.npz")
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
        bigram.train([tmp_path / "text.txt"], tmp_path / "out.npz", without=without)
        chances.append(np.exp(Bigram.load(tmp_path / "out.npz").log_probability(first, [second]))[0])
    assert chances[1] < 0.01 < 0.9 < chances[0]
    (tmp_path / "short.txt").write_text("天地\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"short\.txt: must hold 8 Chinese"):
        bigram.train([tmp_path / "text.txt"], tmp_path / "out.npz", without=[tmp_path / "short.txt"])


@pytest.mark.slow
def test_law_and_poems_fit_in_two_megabytes(shared: Path, tmp_path: Path) -> None:
    texts = [shared / "text" / "law.txt.xz", shared / "text" / "poems.txt.xz"]
    figures = bigram.train(texts, tmp_path / "both.npz")
    assert figures["bytes"] <= 2_000_000
    assert figures["perplexity"] < 120 < figures["perplexity_unigram"]
