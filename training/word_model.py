"""Writes sentences that a model of words makes up: `python -m training.word_model MODEL LEXICON > TEXT`.

Large texts of today are rarely free, but models that were counted in such text are. Sentences drawn from one tell
`training.ngram` which characters follow each other, in words and from one word to the next. They make little sense, and
need not.

It reads the trigram of Simplified Chinese words of open-gram (CC BY-SA 3.0), which the Debian package `sunpinyin-data`
holds. `tslminfo` of `sunpinyin-utils` prints it:

```text
tslminfo -v -p lm_sc.t3g > open-gram.txt
python -m training.word_model open-gram.txt pydict_sc.bin | opencc -c s2twp.json > made_up.txt
```

Reference:
    Katz 1987, shorter contexts for what a longer one has never seen, https://doi.org/10.1109/TASSP.1987.1165125
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

_LEVEL = re.compile(r"\\([0-3])-gram\\(\d+)\s*")
_UNKNOWN = 0  # The word that stands for all that are none: names, figures, letters.
# Names of classes of words, and dots, which stand anywhere in what is chatted.
_NO_WRITING = re.compile("[<…]")
_ENDS = "。！？"
_QUOTES = str.maketrans("“”‘’", "「」『』")
_TOGETHER = 10_000  # Texts that are drawn side by side.
_TRIES = 20  # To find with a shorter context what a longer one does not list; then it is none.


def _places(ascending: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where values, int (n,), stand among others, int (m,), ascending; -1 for those that are not among them."""
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[places] == wanted, places, -1)


class _Followers:
    """What follows contexts, and the shares of each.

    Args:
        contexts: Numbers, int (n,), ascending.
        following: Words, int (n,), ascending for each context.
        shares: float (n,), which sum to 1 at most for each context.
        words: How many words there are.
    """

    def __init__(self, contexts: np.ndarray, following: np.ndarray, shares: np.ndarray, words: int) -> None:
        self._contexts, self._following, self._words = contexts, following, words
        self._keys = contexts * words + following
        sums = np.cumsum(shares)
        before = np.searchsorted(contexts, contexts)
        self._places = contexts + sums - np.concatenate([[0.0], sums])[before]

    def draw(
        self,
        contexts: np.ndarray,
        shorter: Callable[[np.ndarray], np.ndarray],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """A word after each context, int (n,).

        Args:
            contexts: int (n,); -1 lists no word.
            shorter: Draws words with a shorter context, int (m,), from the places in `contexts` that need one, int (m,).
            rng: Where the randomness comes from.
        """
        words = self._listed(contexts, rng)
        for _ in range(_TRIES):
            places = np.flatnonzero(words < 0)
            if not len(places):
                break
            found = shorter(places)
            # The longer context has spoken of what it lists.
            words[places] = np.where(self._lists(contexts[places], found), -1, found)
        return np.maximum(words, _UNKNOWN)

    def _listed(self, contexts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A word that is listed after each context, int (n,); -1 for one that is not."""
        places = np.searchsorted(self._places, contexts + rng.random(len(contexts)), "right")
        found, following = np.append(self._contexts, -2)[places], np.append(self._following, -1)[places]
        return np.where(found == contexts, following, -1)

    def _lists(self, contexts: np.ndarray, following: np.ndarray) -> np.ndarray:
        """Whether words are listed after contexts, bool (n,)."""
        return (contexts >= 0) & (_places(self._keys, contexts * self._words + following) >= 0)


@dataclasses.dataclass(frozen=True)
class WordModel:
    """A back-off trigram of words.

    Attributes:
        words: All words; those that are no writing are empty.
        pairs: What follows a word.
        triples: What follows two words; its contexts are places in `contexts`.
        contexts: The first word times the number of words, and the second one, int (n,), ascending.
        known: Words that may follow any other, int (m,), ascending.
        sums: The shares of these words and of those before them, float (m,).
    """

    words: tuple[str, ...]
    pairs: _Followers
    triples: _Followers
    contexts: np.ndarray
    known: np.ndarray
    sums: np.ndarray

    def draw(self, count: int, seed: int) -> Iterator[str]:
        """Passages of about so many words together, each a sentence or a part of one between unknown words.

        Raises:
            ValueError: `count` is less than 1.
        """
        if count < 1:
            raise ValueError(f"`--words` must be 1 or more. Received: {count}.")
        rng = np.random.default_rng(seed)
        texts = min(_TOGETHER, count)
        before, last = np.full((2, texts), _UNKNOWN)
        drawn = []
        for _ in range(-(-count // texts)):
            before, last = last, self._next(before, last, rng)
            drawn.append(last)
        for text in np.stack(drawn, axis=1).tolist():
            passage = ""
            for word in text:
                passage += self.words[word]
                if passage and (not self.words[word] or self.words[word] in _ENDS):
                    yield passage
                    passage = ""
            if passage:
                yield passage

    def _next(self, before: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        both = _places(self.contexts, before * len(self.words) + last)

        def alone(places: np.ndarray) -> np.ndarray:
            return self.known[np.searchsorted(self.sums, rng.random(len(places)) * self.sums[-1], "right")]

        return self.triples.draw(both, lambda places: self.pairs.draw(last[places], alone, rng), rng)


def read(model: Path, lexicon: Path) -> WordModel:
    """Reads a model.

    Args:
        model: What `tslminfo -v -p` prints of a trigram.
        lexicon: The words, `pydict_sc.bin`.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is not of this kind.
    """
    words = _words(lexicon)
    levels = _levels(model, len(words))
    (known, shares), pairs, triples = levels[1].T, levels[2].T, levels[3].T
    first, second, third = triples[:3].astype(np.int64)
    contexts, places = np.unique(first * len(words) + second, return_inverse=True)
    one, two = pairs[:2].astype(np.int64)
    return WordModel(
        words,
        _Followers(one, two, pairs[2], len(words)),
        _Followers(places, third, triples[3], len(words)),
        contexts,
        known.astype(np.int64),
        np.cumsum(shares),
    )


def _words(lexicon: Path) -> tuple[str, ...]:
    """Its header, eight numbers, tells how many words there are and where; each ends with a zero."""
    content = lexicon.read_bytes()
    count, start = np.frombuffer(content[4:12], "<u4").tolist() if len(content) >= 32 else (0, 0)
    try:
        words = content[start:].decode("utf-32-le").split("\0")[:count]
    except UnicodeDecodeError:
        words = []
    if not words or len(words) < count:
        raise ValueError(f"{lexicon}: this is no lexicon of sunpinyin.")
    words[_UNKNOWN] = ""
    return tuple("" if _NO_WRITING.search(word) else word.translate(_QUOTES) for word in words)


def _levels(model: Path, words: int) -> dict[int, np.ndarray]:
    """The words and the share of each row, float (rows, level + 1), by level; rows of other words are left out."""
    rows: dict[int, list[list[float]]] = {}
    level = -1
    try:
        with open(model, encoding="ascii") as file:
            for line in file:
                if head := _LEVEL.fullmatch(line):
                    level = int(head[1])
                    rows[level] = []
                else:
                    rows[level].append([float(one) for one in line.split()[: level + 1]])
        levels = {number: np.array(rows[number]) for number in (1, 2, 3)}
        kept = {number: all_[(all_[:, :number] < words).all(1)] for number, all_ in levels.items()}
    except (ValueError, KeyError, IndexError):
        kept = {}
    if not kept or not all(len(some) for some in kept.values()):
        raise ValueError(f"{model}: this is no trigram as `tslminfo -v -p` prints it.")
    return kept


def main() -> None:
    """Writes sentences to standard output, one passage a line."""
    parser = argparse.ArgumentParser(prog="python -m training.word_model", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("lexicon", type=Path)
    parser.add_argument("--words", type=int, default=1_000_000, help="How many words to write.")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        for passage in read(options.model, options.lexicon).draw(options.words, options.seed):
            sys.stdout.write(passage + "\n")
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
