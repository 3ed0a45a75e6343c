"""Counts which character follows which one or two, and writes what a decoder needs of it in a small file.

Interpolated Kneser-Ney smoothing: each pair gives up a fixed count, and a unigram of how many different
characters a character follows shares out what was given up; each triple gives up a fixed count to the pair that ends it.
Pairs and triples that tell little beyond what is shorter are left out, and their share falls to that too.

Running text tells which characters follow each other in the matters that it is about; a list of words with their
frequencies, such as `tsi.src` of libchewing, tells it for the language at large, within words only. What marks stand
there is a matter of the kind of text: laws and poems hardly ask or exclaim. So the marks that may stand in the same
place share a part of their counts, and no triple begins with a mark or goes on after one, but between digits or letters.
Texts that are at hand know few numbers and Latin words, so some are made up. They tell what stands within such; how often
digits and letters occur is given.

References:
    Kneser and Ney 1995, https://doi.org/10.1109/ICASSP.1995.479394
    Chen and Goodman 1999, discounts by count, https://doi.org/10.1006/csla.1999.0128
    Stolcke 1998, pruning, https://arxiv.org/abs/cs/0006025
"""

import dataclasses
import io
import itertools
import lzma
import string
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from training import checkpoint, facts
from training.texts import HOLD_OUT, apart, open_text, passages_of, read_texts
from zoo import charset, kinds
from zoo.ngram import BLANK, Bigram, Trigram, by_rank

_LINES_AT_ONCE = 100_000
_RUN = 5  # Counts of any two characters of an alphabet, and of any two digits with a mark between them;
_MIXED = 2  # and of a digit beside a letter.
# The least shares of all characters: one in 200 is a digit, one in 500 a letter.
_OFTEN: dict[kinds.Kind, float] = {"digits": 0.005, "Latin": 0.002}
_MARKS = (",。、;:?!", "「《〈(", "」》〉)")  # Those of a group may stand in the same place.
_SHARED = 0.2  # Share of the counts of such a mark that goes to all of its group, each an equal part.
_FACTS = 2000  # Numbers and Latin words that are made up.
_WITHIN = ".:/-,"  # Marks of which each stands between any two digits.
_MOST = 2**40  # The frequency of a word.
_OF_WORDS = 0.5  # What all words together weigh, in the counts of the texts.
_LEVELS = 127  # Finer ones would tell less than what else the file has room for.
_OF_PAIRS = 0.5  # Share of the file that pairs may take up.


@dataclasses.dataclass(frozen=True)
class Counts:
    """What was seen.

    Attributes:
        pairs: int64 (classes, classes), how often the second class follows the first. Where the second is the blank,
            anything may have followed.
        triples: int64 (n, 3), three classes that followed each other, none twice; the first is the blank where it is
            no character of the charset or the line begins.
        seen: int64 (n,), how often.
    """

    pairs: sparse.csr_matrix
    triples: np.ndarray
    seen: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.pairs + other.pairs,
            *_merged(np.concatenate([self.triples, other.triples]), np.concatenate([self.seen, other.seen])),
        )

    def scaled(self, factor: float) -> "Counts":
        """All counts times a factor, rounded up."""
        return Counts(
            (self.pairs * factor).ceil().astype(np.int64),
            self.triples,
            np.ceil(self.seen * factor).astype(np.int64),
        )


def _merged(triples: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triples, (n, 3), each once and in order, and how often each was seen."""
    size = len(charset.CHARACTERS)
    keys, place = np.unique(
        (triples[:, 0] * size + triples[:, 1]) * size + triples[:, 2], return_inverse=True
    )
    parted = np.stack([keys // size**2, keys // size % size, keys % size], axis=1)
    return parted, np.bincount(place, seen, minlength=len(keys)).astype(np.int64)


def train(
    texts: Sequence[Path],
    out: Path,
    limit: int = 2_000_000,
    words: Path | None = None,
    without: Sequence[Path] = (),
) -> dict[str, float]:
    """Makes an n-gram file from text.

    Every twentieth line is held out to measure the file.

    Args:
        texts: UTF-8 files, plain or `.xz`, one sentence or paragraph a line.
        out: The `.npz` file; it appears whole or not at all.
        limit: Its largest size in bytes.
        words: A word and its frequency on each line, UTF-8, plain or `.xz`, parted by a blank or a tab; what follows
            them does not matter. All words together weigh half as much as the texts, or a little more, as no word
            counts for less than once.
        without: Text that will be used to measure a reader; lines that share eight neighbouring Chinese characters
            with it teach nothing, and are not measured either.

    Returns:
        `characters` counted, `pairs` and `triples` kept, `bytes` of the file, and the perplexity of a character of the
        held-out lines: `perplexity`, `perplexity_bigram` with one character before it alone, and
        `perplexity_unigram` without any.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: A file is not UTF-8 text or no list of words, the texts hold too few pairs of characters to
            learn and to measure, or `limit` is less than a file without any pair.
    """
    learnt = held = count([])
    barred = passages_of(without)
    for text in texts:
        for some, kept_back in _count_file(text, barred):
            learnt, held = learnt + some, held + kept_back
    if not learnt.pairs.nnz or not held.pairs.nnz:
        raise ValueError(
            f"`texts` must hold at least {HOLD_OUT} lines of characters of the charset. "
            f"Received: {[str(text) for text in texts]}."
        )
    characters = int(learnt.pairs.sum())
    if words is not None:
        listed = count_words(words)
        learnt += listed.scaled(_OF_WORDS * characters / listed.pairs.sum())
    content = build(learnt, limit, _made_up(), _sharing())
    with checkpoint.replacing(out) as file:
        file.write(content)
    trigram = Trigram.load(out)
    bigram = trigram.bigram
    alone = Bigram(bigram.unigram, np.zeros(bigram.classes + 1, int), np.zeros(0, int), np.zeros(0))
    return {
        "characters": characters,
        "pairs": len(bigram.pairs),
        "triples": len(trigram.triples),
        "bytes": len(content),
        "perplexity": perplexity(trigram.log_probability, held),
        "perplexity_bigram": perplexity(lambda before, *last: bigram.log_probability(*last), held),
        "perplexity_unigram": perplexity(lambda before, *last: alone.log_probability(*last), held),
    }


def count(lines: Iterable[str]) -> Counts:
    """Counts neighbouring characters within lines; a character outside the charset parts its neighbours."""
    points = np.frombuffer("\n".join(lines).encode("utf-32-le", "surrogatepass"), np.uint32)
    known, place = np.unique(points, return_inverse=True)
    classes = [
        charset.encode(chr(point))[0] if charset.supports(chr(point)) else BLANK for point in known.tolist()
    ]
    ids = np.array([BLANK, *classes], np.int64)[np.concatenate([[0], place + 1])]
    before, first, second = ids[:-2], ids[1:-1], ids[2:]
    written = (first != BLANK) & (second != BLANK)
    triples = np.stack([before, first, second], axis=1)[written]
    size = len(charset.CHARACTERS)
    ones = np.ones(len(triples), np.int64)
    pairs = sparse.csr_matrix((ones, (triples[:, 1], triples[:, 2])), shape=(size, size))
    return Counts(pairs, *_merged(triples, ones))


def count_words(path: Path) -> Counts:
    """Counts neighbours within the words of a list.

    Args:
        path: As `words` of `train`.

    Returns:
        As `count`, of triples those within a word alone; the last character of a word is followed by the blank, which
        stands for any character.

    Raises:
        OSError: The file cannot be read.
        ValueError: A line is no word with a frequency, or no word is of characters of the charset.
    """
    size = len(charset.CHARACTERS)
    pairs: list[tuple[int, int]] = []
    triples: list[tuple[int, int, int]] = []
    of_pairs: list[int] = []
    of_triples: list[int] = []
    for line in read_texts([path]):
        word, *rest = line.split(maxsplit=2)
        if word.startswith("#"):
            continue
        if not rest or not rest[0].isdecimal() or int(rest[0]) > _MOST:
            raise ValueError(
                f"{path}: a line must be a word and its frequency, up to {_MOST:,}. Received: {line.strip()[:40]!r}."
            )
        if len(word) > 1 and int(rest[0]) and charset.supports(word):
            ids = charset.encode(word)
            pairs += itertools.pairwise([*ids, BLANK])
            triples += zip(ids, ids[1:], ids[2:], strict=False)
            of_pairs += [int(rest[0])] * len(ids)
            of_triples += [int(rest[0])] * (len(ids) - 2)
    if not pairs:
        raise ValueError(f"{path}: must hold words of two characters of the charset or more.")
    first, second = np.array(pairs).T
    return Counts(
        sparse.csr_matrix((np.array(of_pairs, np.int64), (first, second)), shape=(size, size)),
        *_merged(np.array(triples, np.int64).reshape(-1, 3), np.array(of_triples, np.int64)),
    )


def _sharing() -> sparse.csr_matrix:
    """What shares counts among the marks of a group: float (classes, classes), to multiply counts with."""
    size = len(charset.CHARACTERS)
    sharing = sparse.identity(size, format="lil")
    for group in _MARKS:
        marks = charset.encode(group)
        sharing[np.ix_(marks, marks)] = (1 - _SHARED) * np.eye(len(marks)) + _SHARED / len(marks)
    return sharing.tocsr()


def _rounded(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """The nearest whole counts, without those of 0."""
    whole = sparse.csr_matrix(counts).rint().astype(np.int64)
    whole.eliminate_zeros()
    return whole


def _made_up() -> Counts:
    """Counts of facts, and a few of any two digits, letters or bopomofo symbols: they stand together, whatever they say."""
    rng = np.random.default_rng(0)
    told = count(facts.fact(rng) for _ in range(_FACTS))
    between = itertools.product(string.digits, _WITHIN, string.digits)
    told += count("".join(one) for one in between).scaled(_RUN)
    size = len(charset.CHARACTERS)
    runs = np.zeros((size, size), np.int64)
    for kind in ("digits", "Latin", "bopomofo"):
        alphabet = np.flatnonzero(_of_kinds(kind))
        runs[np.ix_(alphabet, alphabet)] = _RUN
    digits, letters = np.flatnonzero(_of_kinds("digits")), np.flatnonzero(_of_kinds("Latin"))
    runs[np.ix_(digits, letters)] = runs[np.ix_(letters, digits)] = _MIXED
    return dataclasses.replace(told, pairs=told.pairs + sparse.csr_matrix(runs))


def _of_kinds(*names: kinds.Kind) -> np.ndarray:
    """Which classes are characters of these kinds, bool (classes,)."""
    return np.array([bool(one) and kinds.kind(one) in names for one in charset.CHARACTERS])


def build(
    counts: Counts,
    limit: int = 2_000_000,
    made_up: Counts | None = None,
    sharing: sparse.csr_matrix | None = None,
) -> bytes:
    """Smooths and prunes counts.

    Args:
        counts: Of the classes of the charset.
        limit: Largest size of the file in bytes. Pairs take up to half of it, triples the rest.
        made_up: Of what nobody wrote, which does not tell how many characters a character follows; with it, digits and
            letters get their least shares.
        sharing: What shares counts among classes, float (classes, classes), to multiply counts with.

    Returns:
        The content of a file that `zoo.ngram.Trigram` loads.

    Raises:
        ValueError: `counts` is empty, or `limit` is less than a file without any pair.
    """
    seen = sparse.csr_matrix(counts.pairs)
    if not seen.nnz:
        raise ValueError("`counts` must hold a pair of characters.")
    if sharing is None:
        sharing = sparse.identity(seen.shape[0], format="csr")
    seen = _rounded(sharing @ seen @ sharing)
    unigram = _unigram(np.bincount(seen.indices, minlength=seen.shape[0]))
    if made_up is not None:
        unigram = _with_enough(unigram)
        seen, counts = sparse.csr_matrix(seen + made_up.pairs), counts + made_up
    nothing = _Continued.none()
    least = len(_packed(unigram, nothing, nothing))
    if least > limit:
        raise ValueError(f"`limit` must be at least {least} bytes. Received: limit={limit}.")
    pairs = _fitting(
        _pairs(seen, unigram),
        lambda some: _packed(unigram, some, nothing),
        least + int(_OF_PAIRS * (limit - least)),
    )
    triples = _fitting(
        _triples(
            counts, seen, Bigram(unigram, pairs.starts(len(unigram)), pairs.following, pairs.shares), sharing
        ),
        lambda some: _packed(unigram, pairs, some),
        limit,
    )
    return _packed(unigram, pairs, triples)


def perplexity(
    log_probability: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray], counts: Counts
) -> float:
    """The perplexity of a character after those before it.

    Args:
        log_probability: As of `zoo.ngram.Trigram`.
        counts: Its triples are measured.
    """
    return float(np.exp(-np.average(log_probability(*counts.triples.T), weights=counts.seen)))


@dataclasses.dataclass(frozen=True)
class _Continued:
    """What follows contexts, in the order of the contexts and then of the classes.

    Attributes:
        contexts: int (n,).
        following: Classes, int (n,).
        shares: Of each among all that follows its context, float (n,).
        gains: What it is worth to keep it, float (n,).
    """

    contexts: np.ndarray
    following: np.ndarray
    shares: np.ndarray
    gains: np.ndarray

    @classmethod
    def none(cls) -> "_Continued":
        """Nothing."""
        return cls(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0))

    def __len__(self) -> int:
        return len(self.contexts)

    def best(self, count: int) -> "_Continued":
        """Those of the largest gains."""
        chosen = np.sort(np.argsort(-self.gains, kind="stable")[:count])
        return _Continued(
            self.contexts[chosen], self.following[chosen], self.shares[chosen], self.gains[chosen]
        )

    def starts(self, contexts: int) -> np.ndarray:
        """Where what follows each of so many contexts begins, and at last the end of all: int (contexts + 1,)."""
        return np.searchsorted(self.contexts, np.arange(contexts + 1))


def _fitting(all_of_them: _Continued, packed: Callable[[_Continued], bytes], limit: int) -> _Continued:
    """As many as a file of `limit` bytes holds, to a thousandth."""
    few, many = 0, len(all_of_them) + 1
    while many - few > max(1, len(all_of_them) // 1000):
        middle = (few + many) // 2
        fits = len(packed(all_of_them.best(middle))) <= limit
        few, many = (middle, many) if fits else (few, middle)
    return all_of_them.best(few)


def _pairs(counts: sparse.csr_matrix, unigram: np.ndarray) -> _Continued:
    """All pairs with smoothed shares."""
    before, after, seen = _entries(counts)
    totals = np.bincount(before, seen, minlength=len(unigram))
    known = after != BLANK  # What follows the end of a word falls to the unigram.
    return _smoothed(before[known], after[known], seen[known], totals, unigram[after[known]])


def _triples(
    counts: Counts, pairs: sparse.csr_matrix, bigram: Bigram, sharing: sparse.csr_matrix
) -> _Continued:
    """All triples whose first two characters are kept as a pair, with smoothed shares.

    Marks are first or in the middle of none, but for those between digits or letters.

    Args:
        counts: What was seen.
        pairs: How often all pairs were.
        bigram: What is kept of them.
        sharing: As of `build`.
    """
    marked, counted = _of_kinds("punctuation"), _of_kinds("digits", "Latin")
    first, middle, third = counts.triples.T
    between = marked[middle] & counted[first] & counted[third]
    places = bigram.pairs.places(first, middle)
    places[(marked[first] | marked[middle]) & ~between] = -1
    kept = places >= 0
    before, previous, after = counts.triples[kept].T
    shape = (len(bigram.pairs), bigram.classes)
    contexts, after, seen = _entries(
        _rounded(sparse.csr_matrix((counts.seen[kept], (places[kept], after)), shape=shape) @ sharing)
    )
    totals, last = np.zeros((2, len(bigram.pairs)))
    totals[places[kept]] = np.asarray(pairs[before, previous]).ravel()
    # Triples of words are rounded up each for itself, and may be more than their pair together.
    totals = np.maximum(totals, np.bincount(contexts, seen, minlength=len(totals)))
    last[places[kept]] = previous
    shorter = np.exp(bigram.log_probability(last[contexts].astype(int), after))
    return _smoothed(contexts, after, seen, totals, shorter)


def _entries(counts: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values, float, of what was counted, in their order."""
    ordered = sparse.csr_matrix(counts, copy=True)
    ordered.sum_duplicates()
    rows = np.repeat(np.arange(ordered.shape[0]), np.diff(ordered.indptr))
    return rows, ordered.indices, ordered.data.astype(np.float64)


def _smoothed(
    contexts: np.ndarray, following: np.ndarray, seen: np.ndarray, totals: np.ndarray, shorter: np.ndarray
) -> _Continued:
    """Shares of what follows contexts, and what they tell beyond a shorter context.

    Args:
        contexts: int (n,), ascending.
        following: int (n,), ascending for each context.
        seen: How often, float (n,).
        totals: How often each context was seen, float (contexts,).
        shorter: Probability of the class after the shorter context, float (n,).
    """
    shares = (seen - _discounts(seen)) / totals[contexts]
    rest = 1 - np.bincount(contexts, shares, minlength=len(totals))
    return _Continued(contexts, following, shares, seen * np.log1p(shares / (rest[contexts] * shorter)))


def _with_enough(unigram: np.ndarray) -> np.ndarray:
    """The same with `_OFTEN` for digits and letters, where they had less."""
    raised = unigram.copy()
    for kind, share in _OFTEN.items():
        own = _of_kinds(kind)
        raised[own] *= max(1.0, share / unigram[own].sum())
    return np.asarray(raised / raised.sum())


def _unigram(companions: np.ndarray) -> np.ndarray:
    """P(next) from how many different characters stand before it; none is impossible."""
    smoothed = companions + 0.5
    smoothed[BLANK] = 0
    return smoothed / smoothed.sum()


def _discounts(seen: np.ndarray) -> np.ndarray:
    """What each count gives up: estimates of Chen and Goodman for counts of 1, 2, and 3 or more."""
    of = [max(1.0, float((seen == number).sum())) for number in (1, 2, 3, 4)]
    share = of[0] / (of[0] + 2 * of[1])
    discounts = [number - (number + 1) * share * of[number] / of[number - 1] for number in (1, 2, 3)]
    bounded = np.clip(discounts, 0.1, (0.9, 1.8, 2.7))
    return bounded[np.minimum(seen, 3).astype(int) - 1]


def _packed(unigram: np.ndarray, pairs: _Continued, triples: _Continued) -> bytes:
    unigram = unigram.astype(np.float32)
    ranks = np.argsort(by_rank(unigram))
    order, pair_gaps = _ranked(pairs.contexts, ranks[pairs.following])
    contexts = np.argsort(order)[triples.contexts]
    third_order, third_gaps = _ranked(contexts, ranks[triples.following])
    levels, step = _levels(pairs.shares[order])
    third_levels, third_step = _levels(triples.shares[third_order])
    return _compressed(
        unigram=unigram,
        starts=pairs.starts(len(unigram)).astype(np.uint32),
        gaps=pair_gaps,
        levels=levels,
        step=step,
        continued=np.bincount(contexts, minlength=len(pairs)).astype(np.uint16),
        third_gaps=third_gaps,
        third_levels=third_levels,
        third_step=third_step,
    )


def _ranked(contexts: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order by contexts and then by ranks, and the gaps, uint16, between the ranks of a context, from 0 on."""
    order = np.lexsort((ranks, contexts))
    ranks, contexts = ranks[order], contexts[order]
    gaps = np.diff(ranks, prepend=0)
    first = np.diff(contexts, prepend=-1) != 0
    gaps[first] = ranks[first]
    return order, gaps.astype(np.uint16)


def _compressed(**arrays: np.ndarray) -> bytes:
    """A file for `numpy.load`. LZMA takes a sixth less than what `numpy.savez_compressed` writes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array)
            packed.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_LZMA)
    return file.getvalue()


def _levels(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares as uint8: -log of them in steps of the second array, a number."""
    step = float(-np.log(shares.min()) / _LEVELS) if len(shares) else 1.0
    # Rounded down, so that the shares of a character still sum to less than 1.
    return np.minimum(np.ceil(-np.log(shares) / step), _LEVELS).astype(np.uint8), np.array(step)


def _count_file(path: Path, barred: set[str]) -> Iterator[tuple[Counts, Counts]]:
    """Counts of the lines to learn and of those held out, a part of the file at a time."""
    with open_text(path) as file:
        try:
            while lines := list(itertools.islice(file, _LINES_AT_ONCE)):
                lines = apart(lines, barred)
                held = lines[HOLD_OUT - 1 :: HOLD_OUT]
                del lines[HOLD_OUT - 1 :: HOLD_OUT]
                yield count(lines), count(held)
        except (UnicodeDecodeError, lzma.LZMAError, EOFError) as error:
            raise ValueError(f"{path}: this is no UTF-8 text, plain or .xz: {error}") from error
