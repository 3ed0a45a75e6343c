"""Trains the bundled readers on an accelerator beside many processes.

    python examples/accelerate.py characters DATA --fonts ... --strokes ... --out RUNS --minutes 25
    python examples/accelerate.py lines DATA --fonts ... --strokes ... --out RUNS --minutes 25

`hanzoo train` draws its batches in the process that trains, which is enough for two cores. A GPU learns from them
more than twenty times as fast as one process draws them. `characters` trains hanzinet_m and hanzinet_s, from their
presets, beside a larger network that sees the same batches and whose averaged weights teach them (see
`training.distillation`). The accelerator distorts the characters, and the processes write as one made-up writer after
another, so that few strokes are ever seen twice. `lines` trains line_s, from its preset, on batches that the
processes draw. The rates follow the clock, so that whatever arrives in the given minutes makes a whole run. The
averages of the weights end as folders of models in RUNS, from which `hanzoo train hanzinet_m_last --from
RUNS/hanzinet_m` and its like go on.

Needs JAX and optax, the extra `distributed`, a JAX that knows the accelerator, such as `jax[cuda12]`, and a system that
can fork. It says at the beginning what it learns on.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import mmap
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import cv2
import numpy as np

os.environ["KERAS_BACKEND"] = "jax"  # Before Keras is loaded.

import distort

import zoo
from training import glyphs, pipeline, signs, sources, strips, strokes, texts, writing
from training.recipe import CharacterRecipe
from training.recipes import classification, recognition
from training.sources import EM, Glyphs
from zoo import charset, emphasis

# Hands, fonts and made-up writers, in shares of what is drawn of a class.
_MIX = (0.38, 0.24, 0.38)
_BLANK = 0.04  # Of the cells.
_FEW = 3  # Fewer samples of a class do not stand for their whole group.
_TEACHER = {"widths": (64, 128, 256, 512), "depths": (1, 2, 3, 1), "embedding": 384, "dropout": 0.2}
_TEMPERATURE = CharacterRecipe.teacher_temperature
_TAUGHT = 0.65  # The share of the loss that follows the teacher.
_LISTENING = (0.12, 0.32)  # Between these shares of the run that share rises to `_TAUGHT`.
_FADING = 0.7  # From this share of the run on, the distortions shrink to half.
_KEPT = 0.9995  # Of the averages in each step.
_LONGEST = 40  # Characters of a strip.
_PATIENCE = 600.0  # Seconds that a batch of lines is waited for.
_SAID, _SAVED = 20.0, 180.0  # Seconds between two lines of the log, and between two times that all is saved.

Batch = tuple[np.ndarray, np.ndarray]


class Clock:
    """How much of the run is over."""

    def __init__(self, minutes: float) -> None:
        self._start = time.time()
        self._seconds = 60 * minutes

    def start(self) -> None:
        """Begins anew: reading data and compiling count for nothing."""
        self._start = time.time()

    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, (time.time() - self._start) / self._seconds)


def read(options: argparse.Namespace) -> tuple[list[Glyphs], list[Glyphs], list[strokes.Strokes]]:
    """The hands and fonts that train, and the strokes of made-up writers."""
    hands = sources.read_hands(
        options.data / "hands" / "train", classification.RECIPES["hanzinet_m"].chinese_only
    )
    with futures.ProcessPoolExecutor(options.processes, multiprocessing.get_context("fork")) as pool:
        fonts = list(pool.map(sources.read_font, options.fonts))
    return hands, fonts, signs.read_all(options.strokes)


class Pool:
    """Characters that all processes share: hands and fonts, and made-up writers who come and go.

    Args:
        hands: The hands.
        fonts: The fonts.
        drawn: The strokes of made-up writers.
        writers: How many of them there are at a time.
    """

    def __init__(
        self, hands: Sequence[Glyphs], fonts: Sequence[Glyphs], drawn: Sequence[strokes.Strokes], writers: int
    ) -> None:
        self._drawn, self._writers = drawn, writers
        groups = [[writing.both_ways(source) for source in group] for group in (hands, fonts)]
        first = self._write(0)
        sampler = _sampler([*groups, [first]])
        self._ordinary = len(sampler.labels) - len(first.labels)
        self._made = len(first.labels)
        count = self._ordinary + self._made * writers
        # Without a file: all processes see what one writes.
        self._images = np.frombuffer(mmap.mmap(-1, count * EM * EM), np.uint8).reshape(count, EM, EM)
        self._known = np.frombuffer(mmap.mmap(-1, count * 16), np.float32).reshape(count, 4)
        self._there = np.frombuffer(mmap.mmap(-1, writers), np.bool_)
        self._there[0] = True
        self._put(0, sampler.images)
        self._sampler = dataclasses.replace(sampler, images=self._images)

    def write(self, number: int, processes: int) -> None:
        """The work of one process: one made-up writer after the other, in place of those who were there longest."""
        for writer in itertools.count(number + 1, processes):
            made = self._write(writer)
            if len(made.labels) == self._made:  # A sign that came out without ink has one form only.
                place = writer % self._writers
                self._put(self._ordinary + place * self._made, made.images)
                self._there[place] = True

    def batches(
        self, size: int, seed: int
    ) -> Iterator[tuple[np.ndarray, distort.Facts, np.ndarray, np.ndarray]]:
        """Glyphs, uint8 (n, 96, 96), what is known of them, which cells are blank, and labels, int32 (n,)."""
        rng = np.random.default_rng(seed)
        while True:
            places = self._sampler.places(rng, (size,))
            blank = rng.random(size) < _BLANK
            labels = np.where(blank, 0, self._sampler.labels[places]).astype(np.int32)
            writers = rng.choice(np.flatnonzero(self._there), size)
            places += (places >= self._ordinary) * writers * self._made
            known = self._known[places]
            yield self._images[places], distort.Facts(known[:, 0], known[:, 1:3], known[:, 3]), blank, labels

    def _write(self, writer: int) -> Glyphs:
        return writing.both_ways(glyphs.made_up_writer(self._drawn, writer, seed=4242))

    def _put(self, start: int, images: np.ndarray) -> None:
        known = distort.facts(images)
        self._images[start : start + len(images)] = images
        self._known[start : start + len(images)] = np.column_stack([known.side, known.middle, known.ring])


def _sampler(groups: Sequence[Sequence[Glyphs]]) -> pipeline.CellSampler:
    """Draws characters, of each class as many from each group as `_MIX` says."""
    every = [source for group in groups for source in group]
    sampler = pipeline.CellSampler.of(every, 1, 1.0, _BLANK, seed=0)
    parts = []
    for share, group in zip(_MIX, groups, strict=True):
        labels = np.concatenate([source.labels for source in group])
        counts = np.bincount(labels, minlength=len(charset.CHARACTERS))[labels]
        # A made-up writer stands for many.
        enough = 1.0 if group is groups[-1] else np.minimum(1, counts / _FEW)
        parts.append(share / counts * enough)
    weights = np.concatenate(parts)

    def of_class(values: np.ndarray) -> np.ndarray:
        return np.bincount(sampler.labels, values, minlength=len(charset.CHARACTERS))[sampler.labels]

    shares = of_class(np.diff(sampler.shares, prepend=0.0)) * weights / of_class(weights)
    return dataclasses.replace(sampler, shares=np.cumsum(shares / shares.sum()))


def ahead(batches: Iterator[Any], count: int) -> Iterator[Any]:
    """The same batches, made and brought to the accelerator while others are learned from."""
    import jax

    ready: queue.Queue[Any] = queue.Queue(count)

    def make() -> None:
        try:
            for batch in batches:
                ready.put(jax.device_put(batch))
        finally:  # Even where a batch cannot be made, nothing waits for it.
            ready.put(None)

    threading.Thread(target=make, daemon=True).start()
    return iter(ready.get, None)


def strips_of(groups: Sequence[Sequence[Glyphs]], data: Path, batch_size: int) -> strips.StripSampler:
    """Draws lines of text, from each group as many as `_MIX` says."""
    every = [source for group in groups for source in group]
    read = texts.read_texts(texts.of_folder(data)) or texts.invented(every, seed=0)
    sentences, _ = texts.split(read)  # The others measure.
    sampler = strips.StripSampler.of(
        sentences, every, recognition.RECIPES["line_s"].widths, batch_size, seed=0
    )
    ends = np.cumsum([len(group) for group in groups])[:-1]
    parts = np.split(sampler.shares, ends)
    shares = np.concatenate([share * part / part.sum() for share, part in zip(_MIX, parts, strict=True)])
    return dataclasses.replace(sampler, shares=shares / shares.sum())


def draw(sampler: strips.StripSampler, number: int, batches: Any) -> None:
    """The work of one process: batches without end, other ones than any other process."""
    sampler = dataclasses.replace(sampler, seed=1000 + number)
    for count in itertools.count():
        batches.put(sampler.batch(count))


class Learner:
    """A model with its optimizer and the average of its variables, on the accelerator."""

    def __init__(self, model: Any, rate: float) -> None:
        import optax
        from jax import numpy as jnp

        self.model = model
        # A short rise, then half a cosine to zero.
        self._schedule = optax.warmup_cosine_decay_schedule(0.0, rate, warmup_steps=30, decay_steps=1000)
        trained = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        kernels = [value.ndim > 1 for value in trained]
        self._rule = optax.chain(
            optax.clip_by_global_norm(5.0),
            optax.scale_by_adam(),
            optax.add_decayed_weights(0.02, mask=kernels),
        )
        averages = [jnp.array(value, copy=True) for value in trained + others]
        self.state = (trained, others, self._rule.init(trained), averages)

    def rate(self, share: float) -> np.float32:
        """The rate after a share of the run."""
        return np.float32(self._schedule(1000 * share))

    def logits(self, trained: Any, others: Any, images: Any, training: bool) -> tuple[Any, Any]:
        outputs, others = self.model.stateless_call(trained, others, images, training=training)
        return outputs["logits"], others

    def answers(self, state: Any, images: Any) -> Any:
        """The logits of the averaged weights."""
        averages = state[3]
        count = len(state[0])
        return self.logits(averages[:count], averages[count:], images, training=False)[0]

    def step(self, state: Any, images: Any, rate: Any, loss: Callable[[Any], Any]) -> tuple[Any, Any]:
        """One step: the next state, and the loss of the logits."""
        import jax
        import optax

        def figure(trained: Any) -> tuple[Any, Any]:
            logits, others = self.logits(trained, state[1], images, training=True)
            return loss(logits), others

        (value, others), slopes = jax.value_and_grad(figure, has_aux=True)(state[0])
        moves, optimizer = self._rule.update(slopes, state[2], state[0])
        trained = optax.apply_updates(state[0], [-rate * move for move in moves])
        averages = [
            _KEPT * average + (1 - _KEPT) * value if average.dtype.kind == "f" else value
            for average, value in zip(state[3], [*trained, *others], strict=True)
        ]
        return (trained, others, optimizer, averages), value

    def save(self, folder: Path) -> None:
        """Writes the averaged weights as a model of the zoo."""
        variables = [*self.model.trainable_variables, *self.model.non_trainable_variables]
        for variable, average in zip(variables, self.state[3], strict=True):
            variable.assign(average)
        zoo.save(self.model, folder)


def characters(batches: Iterator[Any], clock: Clock, out: Path, teacher: dict[str, Any]) -> None:
    """Trains both sizes of HanziNet beside a teacher, on what `Pool.batches` gives."""
    import jax
    import keras

    from training.characters import crossentropy

    keras.config.set_dtype_policy("mixed_bfloat16")
    classes = len(charset.CHARACTERS)
    large = Learner(zoo.create("hanzinet", classes=classes, **teacher), 2.5e-3)
    keras.config.set_dtype_policy("float32")
    students = {name: Learner(zoo.load(name), 2e-3) for name in ("hanzinet_m", "hanzinet_s")}

    prior = np.log(emphasis.of(charset.CHARACTERS))

    def hard(logits: Any, labels: Any) -> Any:
        return crossentropy(labels, logits, prior).mean()

    @functools.partial(jax.jit, donate_argnums=0)
    def step(states: Any, seed: Any, batch: Any, kept: Any, rates: Any, taught: Any) -> tuple[Any, Any]:
        drawn, known, blank, labels = batch
        images = distort.cells(jax.random.key(seed), drawn, known, blank, kept)
        learnt = {
            "teacher": large.step(states["teacher"], images, rates["teacher"], lambda z: hard(z, labels))
        }
        soft = jax.nn.softmax(large.answers(states["teacher"], images) / _TEMPERATURE)

        def loss(logits: Any) -> Any:
            cooled = jax.nn.log_softmax(logits / _TEMPERATURE)
            follow = -(soft * cooled).sum(-1).mean()
            return (1 - taught) * hard(logits, labels) + taught * _TEMPERATURE**2 * follow

        for name, student in students.items():
            learnt[name] = student.step(states[name], images, rates[name], loss)
        return {name: one[0] for name, one in learnt.items()}, {name: one[1] for name, one in learnt.items()}

    learners = {"teacher": large, **students}
    seeds = itertools.count()

    def train(batch: Any, share: float) -> dict[str, Any]:
        states = {name: learner.state for name, learner in learners.items()}
        rates = {name: learner.rate(share) for name, learner in learners.items()}
        taught = np.float32(_TAUGHT * np.interp(share, _LISTENING, (0.0, 1.0)))
        kept = np.float32(np.interp(share, (_FADING, 1.0), (1.0, 0.5)))
        states, losses = step(states, next(seeds), batch, kept, rates, taught)
        for name, learner in learners.items():
            learner.state = states[name]
        return losses

    def save() -> None:
        for name, learner in learners.items():
            learner.save(out / name)

    loop(train, batches, clock, save)


def lines(batches: Iterator[Batch], clock: Clock, out: Path) -> None:
    """Trains the line reader on."""
    import jax

    from training.recognition import ctc_loss
    from zoo import linenet

    model = zoo.load("line_s")
    linenet.keep_normalisation(model)
    reader = Learner(model, 1.5e-3)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: Any, images: Any, labels: Any, rate: Any) -> tuple[Any, Any]:
        return reader.step(state, images, rate, lambda logits: ctc_loss(labels, logits).mean())

    def train(batch: Batch, share: float) -> dict[str, Any]:
        images, labels = batch
        # One shape of labels, so that JAX compiles one program for each width.
        labels = np.pad(labels, ((0, 0), (0, _LONGEST - labels.shape[1])))
        reader.state, loss = step(reader.state, images, labels, reader.rate(share))
        return {"line_s": loss}

    loop(train, batches, clock, lambda: reader.save(out / "line_s"))


def loop(
    train: Callable[[Batch, float], dict[str, Any]],
    batches: Iterator[Batch],
    clock: Clock,
    save: Callable[[], Any],
) -> None:
    """Trains until the time is up; says now and then how it goes, and saves.

    Raises:
        RuntimeError: A loss is not finite; what was saved before stays.
    """
    import jax

    print(f"learns on: {jax.devices()[0].device_kind}", flush=True)
    begun = time.time()
    losses = train(next(batches), 0.0)
    check(losses)
    print(f"compiled in {time.time() - begun:.0f} seconds", flush=True)
    clock.start()
    steps, said, saved = 0, time.time(), time.time()
    while (share := clock.share()) < 1:
        losses = train(next(batches), share)
        steps += 1
        if time.time() - said > _SAID:
            print(f"{share:.1%}, step {steps}: {check(losses)}", flush=True)
            said = time.time()
        if time.time() - saved > _SAVED:
            check(losses)
            save()
            saved = time.time()
    check(losses)
    save()


def check(losses: dict[str, Any]) -> dict[str, float]:
    """The losses as numbers.

    Raises:
        RuntimeError: One is not finite.
    """
    figures = {name: round(float(loss), 4) for name, loss in losses.items()}
    if not np.isfinite(list(figures.values())).all():
        raise RuntimeError(f"A loss is not finite: {figures}. Try a lower rate, or look at the pictures.")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("characters", "lines"))
    parser.add_argument("data", type=Path, help="folder with hands/ and text/")
    parser.add_argument("--fonts", type=Path, nargs="+", required=True)
    parser.add_argument("--strokes", type=Path, nargs="+", required=True)
    parser.add_argument("--stroke-writers", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets a folder for each model")
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--batch-size", type=int, help="default: 1024 characters or 64 lines")
    parser.add_argument(
        "--teacher", type=json.loads, default=_TEACHER, help="sizes of the larger network, as JSON"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)  # Threads of OpenCV do not outlive a fork, and who waits for them waits forever.
    hands, fonts, drawn = read(options)
    clock = Clock(options.minutes)
    fork = multiprocessing.get_context("fork")  # So that all share the pictures; before JAX has begun.
    if options.task == "characters":
        pool = Pool(hands, fonts, drawn, options.stroke_writers)
        for number in range(options.processes):
            fork.Process(target=pool.write, args=(number, options.processes), daemon=True).start()
        batches = ahead(pool.batches(options.batch_size or 1024, seed=0), 8)
        characters(batches, clock, options.out, options.teacher)
        return
    made = glyphs.made_up_writers(drawn, options.stroke_writers, seed=4242)
    sampler = strips_of((hands, fonts, made), options.data, options.batch_size or 64)
    ready = fork.Queue(4 * options.processes)
    for number in range(options.processes):
        fork.Process(target=draw, args=(sampler, number, ready), daemon=True).start()
    lines(iter(functools.partial(ready.get, timeout=_PATIENCE), None), clock, options.out)


if __name__ == "__main__":
    main()
