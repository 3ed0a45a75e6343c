"""How likely a character follows the one or the two before it.

numpy only, so that the device reads as it was measured.

References:
    Kneser and Ney 1995, interpolation with shorter contexts, https://doi.org/10.1109/ICASSP.1995.479394
"""

import itertools
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

BLANK = 0
"""The class that stands for no character."""


class Continuations:
    """Which classes follow each of some contexts, and their shares; only those that matter are kept.

    Args:
        starts: int (contexts + 1,); what follows context n is `starts[n]:starts[n + 1]`.
        following: int (kept,), classes, ascending for each context.
        shares: float (kept,), of the class among all that follows the context.
        classes: Number of classes, the blank included.

    Raises:
        ValueError: The arrays do not fit together, or are no shares.
    """

    def __init__(self, starts: np.ndarray, following: np.ndarray, shares: np.ndarray, classes: int) -> None:
        starts, following = np.asarray(starts, np.int64), np.asarray(following, np.int64)
        shares = np.asarray(shares, np.float64)
        if starts[0] != 0 or (np.diff(starts) < 0).any():
            raise ValueError("`starts` must ascend from 0.")
        kept = (starts[-1],)
        if following.shape != kept or shares.shape != kept:
            raise ValueError(
                "`following` and `shares` must hold as many classes as `starts` says. "
                f"Received: {following.shape}, {shares.shape} and {kept}."
            )
        if len(following) and not (
            following.min() > BLANK and following.max() < classes and shares.min() >= 0
        ):
            raise ValueError("`following` must hold classes other than the blank, `shares` no negatives.")
        contexts = len(starts) - 1
        owners = np.repeat(np.arange(contexts), np.diff(starts))
        rest = 1 - np.bincount(owners, shares, minlength=contexts)
        if rest.min(initial=1.0) <= 0:
            raise ValueError(
                f"`shares` must sum to less than 1 for each context. Received: {1 - rest.min()}."
            )
        self._classes = classes
        self._keys = owners * classes + following
        if (np.diff(self._keys) <= 0).any():
            raise ValueError("`following` must ascend for each context.")
        # The last places are for a context that is not known, and for a class that is not kept.
        self._continued = np.append(np.diff(starts) > 0, False)
        self._rest = np.append(rest, 1.0).astype(np.float32)
        self._shares = np.append(shares, 0.0).astype(np.float32)

    def __len__(self) -> int:
        """How many classes are kept, of all contexts together."""
        return len(self._keys)

    def places(self, contexts: np.ndarray, following: np.ndarray) -> np.ndarray:
        """Where classes stand among all that are kept.

        Args:
            contexts: Numbers of contexts, int of any shape; -1 for one that is not known.
            following: Classes, int of a shape that fits.

        Returns:
            int of the shape of both together; -1 for a class that is not kept.
        """
        # Most contexts of two characters have never been seen.
        possible = np.asarray(self._continued[contexts] & (following < self._classes))
        places = np.full(possible.shape, -1)
        if possible.any():
            contexts, following = np.broadcast_arrays(contexts, following)
            wanted = contexts[possible] * self._classes + following[possible]
            found = np.minimum(np.searchsorted(self._keys, wanted), len(self) - 1)
            places[possible] = np.where(self._keys[found] == wanted, found, -1)
        return places

    def probability(self, contexts: np.ndarray, following: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """P(next | context) = share + rest(context) * `shorter`, which is P(next) after a shorter context.

        Arguments are those of `places`; a context that is not known leaves all to `shorter`.
        """
        return np.asarray(self.rest(contexts) * shorter + self._shares[self.places(contexts, following)])

    def rest(self, contexts: np.ndarray) -> np.ndarray:
        """What each context, as of `places`, leaves to a shorter one: float32 of their shape."""
        return np.asarray(self._rest[contexts])

    def kept(self, contexts: np.ndarray, following: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """What is kept of some classes after some contexts.

        Args:
            contexts: As of `places`.
            following: Classes, int (n,).

        Returns:
            Where it stands: indices into `contexts` and then `following`, int (k,) each; and the shares, float32 (k,).
        """
        # Most contexts of two characters have never been seen.
        continued = np.nonzero(self._continued[contexts])
        places = self.places(contexts[continued][:, None], following)
        context, number = np.nonzero(places >= 0)
        return (*(index[context] for index in continued), number), self._shares[places[context, number]]


class Bigram:
    """How likely a character follows another.

    What is not kept of P(next | previous) falls to P(next), so what follows a character always sums to 1. After the
    blank, which stands for an unknown character, P(next) alone counts.

    Args:
        unigram: float (classes,), P(next); 0 for the blank, above 0 for every other class.
        starts: int (classes + 1,); the pairs of class p are `starts[p]:starts[p + 1]`.
        following: int (pairs,), the next classes, ascending for each class.
        shares: float (pairs,), the kept part of P(next | previous).

    Attributes:
        unigram: As given.
        pairs: What is kept of P(next | previous); its contexts are the classes.

    Raises:
        ValueError: The arrays do not fit together, or are no probabilities.
    """

    def __init__(
        self, unigram: np.ndarray, starts: np.ndarray, following: np.ndarray, shares: np.ndarray
    ) -> None:
        unigram, starts = np.asarray(unigram, np.float64), np.asarray(starts)
        if unigram.ndim != 1 or len(unigram) < 2 or starts.shape != (len(unigram) + 1,):
            raise ValueError(
                "`starts` must hold one more number than `unigram`. "
                f"Received: {unigram.shape} and {starts.shape}."
            )
        if unigram[BLANK] != 0 or not (unigram[1:] > 0).all() or abs(unigram.sum() - 1) > 1e-3:
            raise ValueError("`unigram` must be 0 for the blank, above 0 for the others, and sum to 1.")
        if starts[1] != 0:
            raise ValueError("`starts` must give the blank no pairs.")
        self.pairs = Continuations(starts, following, shares, len(unigram))
        self.unigram = unigram / unigram.sum()  # The file rounds.
        self._typical = float(np.median(self.unigram[1:]))

    @property
    def classes(self) -> int:
        """Number of classes, the blank included."""
        return len(self.unigram)

    def known(self, classes: np.ndarray) -> np.ndarray:
        """The classes, int of any shape; -1 for those that a training added."""
        return np.where(classes < self.classes, classes, -1)

    def log_probability(
        self, previous: int | np.ndarray, following: Sequence[int] | np.ndarray
    ) -> np.ndarray:
        """log P(next | previous) for pairs of classes.

        Args:
            previous: Classes, int of any shape; the blank stands for an unknown character, as does a class that a
                training added.
            following: Next classes, int of a shape that fits that of `previous`, none of them the blank. One that a
                training added is as likely as most that never followed.

        Returns:
            float64 of the shape of both together.
        """
        previous, following = np.asarray(previous, np.int64), np.asarray(following, np.int64)
        known = self.known(following)
        alone = np.where(known < 0, self._typical, self.unigram[known])
        return np.log(self.pairs.probability(self.known(previous), following, alone))


def by_rank(unigram: np.ndarray) -> np.ndarray:
    """The classes, int (classes,), the most probable first."""
    return np.argsort(-np.asarray(unigram), kind="stable")


def _ascending(
    contexts: np.ndarray, counts: np.ndarray, gaps: np.ndarray, shares: np.ndarray, ranked: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brings what follows contexts in the order of the contexts and then of the classes.

    Args:
        contexts: int (m,), each once.
        counts: How many classes follow each of them, int (m,).
        gaps: int (n,), between the ranks of a context, from 0 on, context after context.
        shares: float (n,).
        ranked: The classes by rank, int (classes,).

    Returns:
        The order, int (n,), and in this order the classes, int (n,), and their shares, float (n,).

    Raises:
        ValueError: The arrays do not fit together, or no class has such a rank.
    """
    followed = int(counts.sum(dtype=np.int64))
    if not gaps.shape == shares.shape == (followed,):
        raise ValueError(
            f"what follows must be {followed} classes. Received: {gaps.shape}, shares {shares.shape}."
        )
    sums = np.concatenate([[0], np.cumsum(gaps, dtype=np.int64)])
    ranks = sums[1:] - np.repeat(sums[np.cumsum(counts, dtype=np.int64) - counts], counts)
    if len(ranks) and ranks.max() >= len(ranked):
        raise ValueError(f"ranks must be below {len(ranked)}. Received: {ranks.max()}.")
    following = ranked[ranks]
    order = np.argsort(np.repeat(contexts, counts) * len(ranked) + following)
    return order, following[order], shares[order]


class Step(NamedTuple):
    """A power of P(next | two before) for what may be written at three neighbouring places.

    All but a few triples are not kept, and theirs is a product of what pairs have.

    Attributes:
        rest: float32 (before, previous), the power of what is left to P(next | one before).
        shorter: float64 (previous, next), the power of P(next | one before).
        kept: int (k,) each, the numbers before, previous and next of the triples that are kept.
        more: float64 (k,), what these have above the product.
    """

    rest: np.ndarray
    shorter: np.ndarray
    kept: tuple[np.ndarray, ...]
    more: np.ndarray

    def onward(self, chances: np.ndarray) -> np.ndarray:
        """Sums over what stands before, float64 (before, previous) to (previous, next)."""
        sums = (chances * self.rest).sum(0)[:, None] * self.shorter
        np.add.at(sums, self.kept[1:], chances[self.kept[:2]] * self.more)
        return np.asarray(sums)

    def back(self, chances: np.ndarray) -> np.ndarray:
        """Sums over what comes next, float64 (previous, next) to (before, previous)."""
        sums = self.rest * (chances * self.shorter).sum(1)
        np.add.at(sums, self.kept[:2], chances[self.kept[1:]] * self.more)
        return np.asarray(sums)


class Trigram:
    """How likely a character follows two others.

    What is not kept of P(next | two before) falls to P(next | one before).

    Args:
        bigram: Tells that.
        starts: int (pairs + 1,); what follows pair n of `bigram` is `starts[n]:starts[n + 1]`.
        following: int (kept,), the next classes, ascending for each pair.
        shares: float (kept,), the kept part of P(next | two before).

    Attributes:
        bigram: As given.
        triples: What is kept of P(next | two before); its contexts are the pairs of the bigram.

    Raises:
        ValueError: The arrays do not fit together, or are no probabilities.
    """

    def __init__(self, bigram: Bigram, starts: np.ndarray, following: np.ndarray, shares: np.ndarray) -> None:
        if np.shape(starts) != (len(bigram.pairs) + 1,):
            raise ValueError(
                "`starts` must hold one more number than `bigram` has pairs. "
                f"Received: {np.shape(starts)} and {len(bigram.pairs)} pairs."
            )
        self.bigram = bigram
        self.triples = Continuations(starts, following, shares, bigram.classes)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Trigram":
        """Reads a file that `training.ngram` wrote.

        Args:
            path: `.npz` with `unigram` float32 (classes,); `starts` uint32 (classes + 1,), `gaps` uint16 (pairs,)
                between the ranks of the classes that follow a context, from 0 on, a rank being a place in `by_rank`
                of `unigram`, and `levels` uint8 (pairs,), a level of n being a share of exp(-n * `step`),
                with `step` a float; and of the trigram `continued` uint16 (pairs,), how many classes are kept after
                each pair, `third_gaps` uint16 (kept,) as `gaps`, and `third_levels` uint8 (kept,), with `third_step`
                as before.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no such file.
        """
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
                missing = {"unigram", "starts", "gaps", "levels", "step"} - set(data.files)
                missing |= {"continued", "third_gaps", "third_levels", "third_step"} - set(data.files)
                if missing:
                    raise ValueError(f"it lacks {', '.join(sorted(missing))}")
                arrays = {name: data[name] for name in data.files}
            shares, third_shares = (
                np.exp(-float(arrays[step]) * arrays[levels].astype(np.float64))
                for step, levels in (("step", "levels"), ("third_step", "third_levels"))
            )
            ranked = by_rank(arrays["unigram"])
            starts = arrays["starts"].astype(np.int64)
            classes = np.arange(len(starts) - 1)
            order, following, shares = _ascending(classes, np.diff(starts), arrays["gaps"], shares, ranked)
            bigram = Bigram(arrays["unigram"], starts, following, shares)
            continued = arrays["continued"].astype(np.int64)
            pairs = np.argsort(order)
            _, third, third_shares = _ascending(pairs, continued, arrays["third_gaps"], third_shares, ranked)
            return cls(bigram, np.concatenate([[0], np.cumsum(continued[order])]), third, third_shares)
        except (
            ValueError,
            TypeError,
            EOFError,
            KeyError,
            IndexError,
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
        ) as error:
            raise ValueError(f"{os.fspath(path)}: this is no n-gram file: {error}") from error

    def log_probability(
        self,
        before: int | np.ndarray,
        previous: int | np.ndarray,
        following: Sequence[int] | np.ndarray,
    ) -> np.ndarray:
        """log P(next | two before) for triples of classes.

        Args:
            before: The first classes, int of any shape, otherwise as `previous`.
            previous: The second ones, int of a shape that fits, otherwise as of `Bigram.log_probability`.
            following: Next classes, int of a shape that fits, otherwise as of `Bigram.log_probability`.

        Returns:
            float64 of the shape of all together.
        """
        before, previous, following = (np.asarray(one, np.int64) for one in (before, previous, following))
        pairs = self.bigram.pairs.places(self.bigram.known(before), previous)
        shorter = np.exp(self.bigram.log_probability(previous, following))
        return np.log(self.triples.probability(pairs, following, shorter))

    def along(self, text: Sequence[np.ndarray], weight: float = 1.0) -> Iterator[Step]:
        """P(next | two before) ** `weight` for everything that may be written along a text.

        Args:
            text: The classes of each place, int (n,) each, at one place or more, otherwise as of `log_probability`.
            weight: The power.

        Yields:
            For each place but the first, a step to it; before the first stands an unknown character.
        """
        # Looked up for all pairs of neighbours at once: each look takes longer than what it finds.
        neighbours = [(first, second) for first, second in itertools.pairwise([np.array([BLANK]), *text])]
        first = np.concatenate([np.repeat(one, len(other)) for one, other in neighbours])
        second = np.concatenate([np.tile(other, len(one)) for one, other in neighbours])
        pairs = self.bigram.pairs.places(self.bigram.known(first), second)
        logs = self.bigram.log_probability(first, second)
        ends = np.cumsum([len(one) * len(other) for one, other in neighbours])[:-1]
        shapes = [(len(one), len(other)) for one, other in neighbours]
        before, shorter = (
            [part.reshape(shape) for part, shape in zip(np.split(parts, ends), shapes, strict=True)]
            for parts in (pairs, logs)
        )
        for contexts, following, log in zip(before, text[1:], shorter[1:], strict=False):
            rest = self.triples.rest(contexts)
            kept, shares = self.triples.kept(contexts, following)
            left = rest[kept[:2]] * np.exp(log[kept[1:]])
            more = (left + shares) ** weight - left**weight
            yield Step(rest**weight, np.exp(weight * log), kept, more)
