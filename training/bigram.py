"""Counts which character follows which, and writes what a decoder needs of it in a small file.

Interpolated Kneser-Ney smoothing: each pair gives up a fixed count, and a unigram of how many different
characters a character follows shares out what was given up. Pairs that tell little beyond the unigram are
left out, and their share falls to it too.

Running text tells which characters follow each other in the matters that it is about; a list of words with their
frequencies, such as `tsi.src` of libchewing, tells it for the language at large, within words only. What marks stand
there is a matter of the kind of text: laws and poems hardly ask or exclaim. So the marks that may stand in the same
place share a part of their counts.

References:
    Kneser and Ney 1995, https://doi.org/10.1109/ICASSP.1995.479394
    Chen and Goodman 1999, discounts by count, https://doi.org/10.1006/csla.1999.0128
    Stolcke 1998, pruning, https://arxiv.org/abs/cs/0006025
"""

import io
import itertools
import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from training import checkpoint
from training.texts import HOLD_OUT, apart, passages_of, read_texts
from zoo import charset, kinds
from zoo.ctc import BLANK, Bigram

_LINES_AT_ONCE = 100_000
_RUN = 5  # Counts of any two characters of an alphabet.
_MARKS = (",。、;:?!", "「《〈(", "」》〉)")  # Those of a group may stand in the same place.
_SHARED = 0.2  # Share of the counts of such a mark that goes to all of its group, each an equal part.


def train(
    texts: Sequence[Path],
    out: Path,
    limit: int = 2_000_000,
    words: Path | None = None,
    without: Sequence[Path] = (),
) -> dict[str, float]:
    """Makes a bigram file from text.

    Every twentieth line is held out to measure the file.

    Args:
        texts: UTF-8 files, plain or `.xz`, one sentence or paragraph a line.
        out: The `.npz` file; it appears whole or not at all.
        limit: Its largest size in bytes.
        words: A word and its frequency on each line, UTF-8, plain or `.xz`, parted by a blank or a tab; what follows
            them does not matter. All words together weigh as much as the texts, or a little more, as no word counts
            for less than once.
        without: Text that will be used to measure a reader; lines that share eight neighbouring Chinese characters
            with it teach nothing, and are not measured either.

    Returns:
        `characters` counted, `pairs` kept, `bytes` of the file, and the perplexity of a character of the
        held-out lines: `perplexity`, and `perplexity_unigram` without the character before it.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: A file is not UTF-8 text or no list of words, the texts hold too few pairs of characters to
            learn and to measure, or `limit` leaves no room for any pair.
    """
    counts = held = None
    barred = passages_of(without)
    for text in texts:
        for learnt, kept_back in _count_file(text, barred):
            counts = learnt if counts is None else counts + learnt
            held = kept_back if held is None else held + kept_back
    if counts is None or held is None or not counts.nnz or not held.nnz:
        raise ValueError(
            f"`texts` must hold at least {HOLD_OUT} lines of characters of the charset. "
            f"Received: {[str(text) for text in texts]}."
        )
    learned = counts
    if words is not None:
        listed = count_words(words)
        learned = learned + (listed * (counts.sum() / listed.sum())).ceil().astype(np.int64)
    content = build(_share_marks(learned), limit, _runs())
    with checkpoint.replacing(out) as file:
        file.write(content)
    bigram = Bigram.load(out)
    return {
        "characters": int(counts.sum()),
        "pairs": len(bigram.following),
        "bytes": len(content),
        "perplexity": perplexity(bigram, held),
        "perplexity_unigram": perplexity(_without_pairs(bigram), held),
    }


def count(lines: Iterable[str]) -> sparse.csr_matrix:
    """Counts pairs of neighbouring characters within lines.

    Returns:
        int64 (classes, classes), how often the second class follows the first. A character outside
        the charset parts its neighbours.
    """
    points = np.frombuffer("\n".join(lines).encode("utf-32-le", "surrogatepass"), np.uint32)
    known, place = np.unique(points, return_inverse=True)
    classes = [
        charset.encode(chr(point))[0] if charset.supports(chr(point)) else BLANK for point in known.tolist()
    ]
    ids = np.array(classes, np.int64)[place]
    first, second = ids[:-1], ids[1:]
    pairs = (first != BLANK) & (second != BLANK)
    size = len(charset.CHARACTERS)
    entries = (np.ones(pairs.sum(), np.int64), (first[pairs], second[pairs]))
    return sparse.csr_matrix(entries, shape=(size, size))


def count_words(path: Path) -> sparse.csr_matrix:
    """Counts pairs within the words of a list.

    Args:
        path: As `words` of `train`.

    Returns:
        int64 (classes, classes), as of `count`; the last character of a word is followed by the blank, which stands
        for any character.

    Raises:
        OSError: The file cannot be read.
        ValueError: A line is no word with a frequency, or no word is of characters of the charset.
    """
    size = len(charset.CHARACTERS)
    first, second, seen = [], [], []
    for line in read_texts([path]):
        word, *rest = line.split(maxsplit=2)
        if word.startswith("#"):
            continue
        if not rest or not rest[0].isdecimal():
            raise ValueError(
                f"{path}: a line must be a word and its frequency. Received: {line.strip()[:40]!r}."
            )
        if len(word) > 1 and int(rest[0]) and charset.supports(word):
            ids = charset.encode(word)
            first += ids
            second += [*ids[1:], BLANK]
            seen += [int(rest[0])] * len(ids)
    if not seen:
        raise ValueError(f"{path}: must hold words of two characters of the charset or more.")
    return sparse.csr_matrix((np.array(seen, np.int64), (first, second)), shape=(size, size))


def _share_marks(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Counts in which each mark has a part of what stands before and after the others of its group."""
    size = counts.shape[0]
    mixing = sparse.identity(size, format="lil")
    for group in _MARKS:
        marks = charset.encode(group)
        mixing[np.ix_(marks, marks)] = (1 - _SHARED) * np.eye(len(marks)) + _SHARED / len(marks)
    mixing = mixing.tocsr()
    shared = sparse.csr_matrix(mixing @ counts @ mixing).rint().astype(np.int64)
    shared.eliminate_zeros()
    return shared


def _runs() -> sparse.csr_matrix:
    """A few counts for any two digits, letters or bopomofo symbols: they stand together, whatever they say."""
    size = len(charset.CHARACTERS)
    counts = np.zeros((size, size), np.int64)
    for kind in ("digits", "Latin", "bopomofo"):
        alphabet = [index for index, one in enumerate(charset.CHARACTERS) if one and kinds.kind(one) == kind]
        counts[np.ix_(alphabet, alphabet)] = _RUN
    return sparse.csr_matrix(counts)


def build(
    counts: sparse.csr_matrix, limit: int = 2_000_000, made_up: sparse.csr_matrix | None = None
) -> bytes:
    """Smooths and prunes counts.

    Args:
        counts: As of `count` or `count_words`, of any number of classes up to 65,536.
        limit: Largest size of the file in bytes.
        made_up: Counts of pairs that nobody wrote, which do not tell how many characters a character follows.

    Returns:
        The content of a file that `zoo.ctc.Bigram` loads.

    Raises:
        ValueError: `counts` is empty, or `limit` leaves no room for any pair.
    """
    pairs = sparse.coo_matrix(counts)
    pairs.sum_duplicates()
    if not pairs.nnz:
        raise ValueError("`counts` must hold a pair of characters.")
    unigram = _unigram(np.bincount(pairs.col, minlength=counts.shape[0]))
    if made_up is not None:
        pairs = sparse.coo_matrix(pairs + made_up)
    before, after, seen = pairs.row, pairs.col, pairs.data.astype(np.float64)
    classes = counts.shape[0]
    totals = np.bincount(before, seen, minlength=classes)
    known = after != BLANK  # What follows the end of a word falls to the unigram.
    before, after, seen = before[known], after[known], seen[known]
    shares = (seen - _discounts(seen)) / totals[before]
    lower = (1 - np.bincount(before, shares, minlength=classes))[before] * unigram[after]
    gain = seen * np.log1p(shares / lower)
    order = np.argsort(-gain, kind="stable")

    def content(kept: int) -> bytes:
        chosen = order[:kept]
        chosen = chosen[np.lexsort((after[chosen], before[chosen]))]
        return _pack(unigram, before[chosen], after[chosen], shares[chosen])

    if len(content(0)) > limit:
        raise ValueError(f"`limit` must be at least {len(content(0))} bytes. Received: limit={limit}.")
    few, many = 0, len(order) + 1
    while many - few > max(1, len(order) // 1000):
        middle = (few + many) // 2
        few, many = (middle, many) if len(content(middle)) <= limit else (few, middle)
    return content(few)


def perplexity(bigram: Bigram, counts: sparse.csr_matrix) -> float:
    """The perplexity of a character after the one before it, over the pairs of `count`."""
    rows = sparse.csr_matrix(counts)
    total = 0.0
    for previous in np.flatnonzero(np.diff(rows.indptr)):
        part = slice(rows.indptr[previous], rows.indptr[previous + 1])
        total += float(rows.data[part] @ bigram.log_probability(int(previous), rows.indices[part]))
    return float(np.exp(-total / rows.sum()))


def _unigram(companions: np.ndarray) -> np.ndarray:
    """P(next) from how many different characters stand before it; none is impossible."""
    smoothed = companions + 0.5
    smoothed[BLANK] = 0
    return smoothed / smoothed.sum()


def _discounts(seen: np.ndarray) -> np.ndarray:
    """What each pair gives up: estimates of Chen and Goodman for counts of 1, 2, and 3 or more."""
    of = [max(1.0, float((seen == number).sum())) for number in (1, 2, 3, 4)]
    share = of[0] / (of[0] + 2 * of[1])
    discounts = [number - (number + 1) * share * of[number] / of[number - 1] for number in (1, 2, 3)]
    bounded = np.clip(discounts, 0.1, (0.9, 1.8, 2.7))
    return bounded[np.minimum(seen, 3).astype(int) - 1]


def _pack(unigram: np.ndarray, before: np.ndarray, after: np.ndarray, shares: np.ndarray) -> bytes:
    step = float(-np.log(shares.min()) / 255) if len(shares) else 1.0
    # Rounded down, so that the shares of a character still sum to less than 1.
    levels = np.minimum(np.ceil(-np.log(shares) / step), 255)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        unigram=unigram.astype(np.float32),
        starts=np.searchsorted(before, np.arange(len(unigram) + 1)).astype(np.uint32),
        following=after.astype(np.uint16),
        levels=levels.astype(np.uint8),
        step=np.array(step),
    )
    return file.getvalue()


def _without_pairs(bigram: Bigram) -> Bigram:
    return Bigram(bigram.unigram, np.zeros_like(bigram.starts), np.zeros(0, int), np.zeros(0))


def _count_file(path: Path, barred: set[str]) -> Iterator[tuple[sparse.csr_matrix, sparse.csr_matrix]]:
    """Counts of the lines to learn and of those held out, a part of the file at a time."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        try:
            while lines := list(itertools.islice(file, _LINES_AT_ONCE)):
                lines = apart(lines, barred)
                held = lines[HOLD_OUT - 1 :: HOLD_OUT]
                del lines[HOLD_OUT - 1 :: HOLD_OUT]
                yield count(lines), count(held)
        except (UnicodeDecodeError, lzma.LZMAError, EOFError) as error:
            raise ValueError(f"{path}: this is no UTF-8 text, plain or .xz: {error}") from error
