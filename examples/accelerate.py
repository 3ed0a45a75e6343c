"""Trains the bundled readers on an accelerator that many processes feed.

    python examples/accelerate.py characters DATA --fonts ... --strokes ... --out RUNS --minutes 25
    python examples/accelerate.py lines DATA --fonts ... --strokes ... --out RUNS --minutes 25

`hanzoo train` draws its batches in the process that trains, which is enough for two cores. A GPU learns from them
twenty times as fast as one process draws them: here each process draws batches of its own, and the rates follow the
clock, so that whatever arrives in the given minutes makes a whole run. `characters` trains hanzinet_m and hanzinet_s,
from their presets, beside a larger network that sees the same batches and whose averaged weights teach them (see
`training.distillation`); `lines` trains line_s. The averages of the weights end as folders of models in RUNS, from
which `hanzoo train hanzinet_m_last --from RUNS/hanzinet_m` and its like go on.

Needs JAX and optax, the extra `distributed`, and a system that can fork.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

os.environ["KERAS_BACKEND"] = "jax"  # Before Keras is loaded.

import zoo
from training import glyphs, pipeline, recipe, signs, sources, strips, texts, writing
from training.recipe import CharacterRecipe
from training.sources import Glyphs
from zoo import charset

# Hands, fonts and made-up writers, in shares of what is drawn of a class.
_MIX = (0.40, 0.25, 0.35)
_FEW = 3  # Fewer samples of a class do not stand for their whole group.
_TEACHER = {"widths": (64, 128, 256, 512), "depths": (1, 2, 3, 1), "embedding": 384, "dropout": 0.2}
_TEMPERATURE = CharacterRecipe.teacher_temperature
_TAUGHT = 0.65  # The share of the loss that follows the teacher.
_LISTENING = (0.12, 0.32)  # Between these shares of the run that share rises to `_TAUGHT`.
_FADING = 0.7  # From this share of the run on, the distortions shrink to half.
_FINE = 10**9  # Steps of the clock that the distortions fade by.
_KEPT = 0.9995  # Of the averages in each step.
_LONGEST = 40  # Characters of a strip.
_SAID, _SAVED = 20.0, 180.0  # Seconds between two lines of the log, and between two times that all is saved.

Batch = tuple[np.ndarray, np.ndarray]


class Clock:
    """How much of the run is over, the same in all processes."""

    def __init__(self, minutes: float) -> None:
        self._start = multiprocessing.Value("d", time.time())
        self._seconds = 60 * minutes

    def start(self) -> None:
        """Begins anew: reading data and compiling count for nothing."""
        self._start.value = time.time()

    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, (time.time() - self._start.value) / self._seconds)


def read(options: argparse.Namespace) -> tuple[list[Glyphs], list[Glyphs], list[Glyphs]]:
    """The hands, fonts and made-up writers that train."""
    hands = sources.read_hands(options.data / "hands" / "train", recipe.find("hanzinet_m").chinese_only)
    fonts = [sources.read_font(font) for font in options.fonts]
    drawn = signs.read_all(options.strokes)
    return hands, fonts, glyphs.made_up_writers(drawn, options.stroke_writers, seed=4242)


def cells(groups: Sequence[Sequence[Glyphs]], batch_size: int) -> pipeline.CellSampler:
    """Draws characters, of each class as many from each group as `_MIX` says."""
    groups = [[writing.both_ways(source) for source in group] for group in groups]
    every = [source for group in groups for source in group]
    sampler = pipeline.CellSampler.of(every, batch_size, 1.0, 0.04, seed=0)
    parts = []
    for share, group in zip(_MIX, groups, strict=True):
        labels = np.concatenate([source.labels for source in group])
        counts = np.bincount(labels, minlength=len(charset.CHARACTERS))[labels]
        parts.append(share / counts * np.minimum(1, counts / _FEW))
    weights = np.concatenate(parts)

    def of_class(values: np.ndarray) -> np.ndarray:
        return np.bincount(sampler.labels, values, minlength=len(charset.CHARACTERS))[sampler.labels]

    shares = of_class(np.diff(sampler.shares, prepend=0.0)) * weights / of_class(weights)
    return dataclasses.replace(sampler, shares=np.cumsum(shares / shares.sum()))


def strips_of(groups: Sequence[Sequence[Glyphs]], data: Path, batch_size: int) -> strips.StripSampler:
    """Draws lines of text, from each group as many as `_MIX` says."""
    every = [source for group in groups for source in group]
    read = texts.read_texts(texts.of_folder(data)) or texts.invented(every, seed=0)
    sentences, _ = texts.split(read)  # The others measure.
    sampler = strips.StripSampler.of(sentences, every, recipe.find("line_s").widths, batch_size, seed=0)
    ends = np.cumsum([len(group) for group in groups])[:-1]
    parts = np.split(sampler.shares, ends)
    shares = np.concatenate([share * part / part.sum() for share, part in zip(_MIX, parts, strict=True)])
    return dataclasses.replace(sampler, shares=shares / shares.sum())


def draw(sampler: Any, number: int, clock: Clock, batches: Any) -> None:
    """The work of one process: batches without end, other ones than any other process."""
    cv2.setNumThreads(1)
    sampler = dataclasses.replace(sampler, seed=1000 + number)
    if isinstance(sampler, pipeline.CellSampler):
        sampler = dataclasses.replace(sampler, fade=(round(_FADING * _FINE), _FINE))
    for count in itertools.count():
        # The step says how far the distortions have faded; its last digits make each batch another one.
        batches.put(sampler.batch(int(clock.share() * _FINE) // 1000 * 1000 + count % 1000))


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


def characters(batches: Iterator[Batch], clock: Clock, out: Path, teacher: dict[str, Any]) -> None:
    """Trains both sizes of HanziNet beside a teacher."""
    import jax
    import keras

    from training.characters import crossentropy

    keras.config.set_dtype_policy("mixed_bfloat16")
    large = Learner(zoo.create("hanzinet", classes=len(charset.CHARACTERS), **teacher), 2.5e-3)
    keras.config.set_dtype_policy("float32")
    students = {name: Learner(zoo.load(name), 3e-3) for name in ("hanzinet_m", "hanzinet_s")}

    def hard(logits: Any, labels: Any) -> Any:
        return crossentropy(labels, logits).mean()

    @functools.partial(jax.jit, donate_argnums=0)
    def step(states: Any, images: Any, labels: Any, rates: Any, taught: Any) -> tuple[Any, Any]:
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

    def train(batch: Batch, share: float) -> dict[str, Any]:
        states = {name: learner.state for name, learner in learners.items()}
        rates = {name: learner.rate(share) for name, learner in learners.items()}
        taught = _TAUGHT * float(np.interp(share, _LISTENING, (0.0, 1.0)))
        states, losses = step(states, *batch, rates, np.float32(taught))
        for name, learner in learners.items():
            learner.state = states[name]
        return losses

    loop(train, batches, clock, lambda: [learner.save(out / name) for name, learner in learners.items()])


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
    losses = train(next(batches), 0.0)  # Compiles.
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
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--batch-size", type=int, help="default: 512 characters or 64 lines")
    parser.add_argument(
        "--teacher", type=json.loads, default=_TEACHER, help="sizes of the larger network, as JSON"
    )
    options = parser.parse_args()
    groups = read(options)
    if options.task == "characters":
        sampler: Any = cells(groups, options.batch_size or 512)
    else:
        sampler = strips_of(groups, options.data, options.batch_size or 64)
    clock = Clock(options.minutes)
    fork = multiprocessing.get_context("fork")  # So that all share the pictures; before JAX has begun.
    ready = fork.Queue(4 * options.processes)
    for number in range(options.processes):
        fork.Process(target=draw, args=(sampler, number, clock, ready), daemon=True).start()
    batches = iter(ready.get, None)
    if options.task == "characters":
        characters(batches, clock, options.out, options.teacher)
    else:
        lines(batches, clock, options.out)


if __name__ == "__main__":
    main()
