"""Measures how fast training is: `python -m training.measure_rate DATA`.

Three questions, each answered by rounds that take turns, so that whatever else the machine does slows both
sides alike: how much of the rate of bare `train_on_batch` the loop of `fit` keeps when the batches cost
nothing; what bfloat16 gains or costs; and whether the pipeline makes batches faster than the model eats
them.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

import zoo
from training import fit, recipe
from training.characters import CharacterTask
from training.recipe import CharacterRecipe
from zoo import charset

NETWORKS = {
    "vgg16": "plain convolutions",
    "hanzinet_m": "plain convolutions, small",
    "efficientnet_b0": "depthwise convolutions",
}
"""Recipes that are measured in both precisions."""

_CACHED = 8  # Batches that are drawn once and then repeated.


class CachedTask(CharacterTask):
    """Trains on batches that cost nothing; validates by running the same steps bare, and timing them."""

    def __init__(self, recipe: CharacterRecipe) -> None:
        super().__init__(recipe)
        self._drawn = [self.sampler.batch(step) for step in range(_CACHED)]

    def batches(self, first_step: int, steps: int) -> tf.data.Dataset:
        images, labels = (np.stack(parts) for parts in zip(*self._drawn, strict=True))
        return tf.data.Dataset.from_tensor_slices((images, labels)).cache().repeat().take(steps)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        return {"seconds": timed(lambda: bare_steps(model, self._drawn, self.recipe.steps))}

    def pictures(self, model: keras.Model) -> dict[str, np.ndarray]:
        return {}


@dataclasses.dataclass(frozen=True)
class CachedRecipe(CharacterRecipe):
    """A recipe whose batches cost nothing."""

    TASK: ClassVar[str] = "training.measure_rate:CachedTask"


def timed(run: Callable[[], Any]) -> float:
    """The seconds that a function takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def bare_steps(model: keras.Model, batches: list[tuple[np.ndarray, np.ndarray]], steps: int) -> None:
    """Runs `train_on_batch`, with nothing around it."""
    for _, (images, labels) in zip(range(steps), itertools.cycle(batches), strict=False):
        model.train_on_batch(images, labels)


def loop(data: Path, name: str = "hanzinet_m", rounds: int = 6, steps: int = 60) -> dict[str, float]:
    """The rate of `fit`, its checkpoints and curves included, beside bare `train_on_batch`.

    Args:
        data: Folder as the recipe takes it.
        name: Of a recipe.
        rounds: Epochs, each followed by as many bare steps; one more comes first and does not count.
        steps: Of an epoch.

    Returns:
        Medians over the rounds: `fit` and `bare`, pictures a second, and `share`, the one of the other
        in the same round.
    """
    found = recipe.find(name)
    changes = {"data": data, "epochs": rounds + 1, "steps": steps}
    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    with tempfile.TemporaryDirectory() as workdir:
        fit.fit(CachedRecipe(**(fields | changes)), Path(workdir))
        history = json.loads((Path(workdir) / "result.json").read_text(encoding="utf-8"))["history"][1:]
    bare = np.array([epoch["validation"]["seconds"] for epoch in history])
    whole = np.array([epoch["seconds"] for epoch in history]) - bare
    pictures = steps * found.batch_size
    return {
        "batch_size": found.batch_size,
        "fit": float(np.median(pictures / whole)),
        "bare": float(np.median(pictures / bare)),
        "share": float(np.median(bare / whole)),
    }


def precisions(name: str, rounds: int = 4, steps: int = 2, batch_size: int = 32) -> dict[str, float]:
    """The rates of a recipe's network in float32 and in mixed bfloat16, pictures a second."""
    found = recipe.find(name)
    models = {}
    for precision in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(precision)
        model = zoo.create(found.model, classes=len(charset.CHARACTERS), **found.sizes)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.AdamW(1e-3), {"logits": loss}, jit_compile=False)
        models[precision] = model
    keras.config.set_dtype_policy("float32")
    rng = np.random.default_rng(0)
    shape = (batch_size, *models["float32"].input_shape[1:])
    batches = [
        (
            rng.integers(0, 256, shape, np.uint8),
            rng.integers(0, len(charset.CHARACTERS), batch_size, np.int32),
        )
    ]
    seconds: dict[str, list[float]] = {precision: [] for precision in models}
    for _ in range(rounds + 1):
        for precision, model in models.items():
            seconds[precision].append(timed(functools.partial(bare_steps, model, batches, steps)))
    return {
        precision: steps * batch_size / float(np.median(times[1:])) for precision, times in seconds.items()
    }


def pipeline(data: Path, name: str = "hanzinet_m", rounds: int = 8, steps: int = 10) -> float:
    """The pictures a second that the pipeline of a recipe makes while nothing trains."""
    found = dataclasses.replace(recipe.find(name), data=data)
    batches = iter(found.task().batches(0, (rounds + 2) * steps))

    def draw() -> None:
        for _ in range(steps):
            next(batches)

    draw()  # What was made ahead does not count.
    return steps * found.batch_size / float(np.median([timed(draw) for _ in range(rounds)]))


def measure(data: Path) -> dict[str, Any]:
    """All figures."""
    return {
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "python": platform.python_version()},
        "loop": {"hanzinet_m": loop(data)},
        "precision": {name: precisions(name) for name in NETWORKS},
        "pipeline": {"hanzinet_m": pipeline(data)},
    }


def table(figures: dict[str, Any]) -> str:
    """The figures as tables in Markdown."""
    machine = figures["machine"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; pictures a second.",
        "",
        "| network | `train_on_batch` | `fit`, cached batches | share | pipeline alone |",
        "|---|---|---|---|---|",
    ]
    for name, row in figures["loop"].items():
        made = figures["pipeline"][name]
        lines.append(f"| {name} | {row['bare']:.0f} | {row['fit']:.0f} | {row['share']:.1%} | {made:.0f} |")
    lines += ["", "| network | | float32 | mixed bfloat16 | gain |", "|---|---|---|---|---|"]
    for name, row in figures["precision"].items():
        gain = row["mixed_bfloat16"] / row["float32"]
        lines.append(
            f"| {name} | {NETWORKS[name]} | {row['float32']:.0f} | {row['mixed_bfloat16']:.0f} | {gain:.2f} |"
        )
    return "\n".join(lines)


def _cpu() -> str:
    """The processor's name without its number, and whether it computes in bfloat16 itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    name = next(
        (line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), ""
    )
    return f"{name} ({'with' if 'avx512_bf16' in text else 'without'} AVX512_BF16)"


def main() -> None:
    """Prints the tables; `--json FILE` writes the figures as well."""
    parser = argparse.ArgumentParser(prog="python -m training.measure_rate", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with hands/train and hands/dev")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    options = parser.parse_args()
    try:
        figures = measure(options.data)
    except (ValueError, OSError) as error:
        parser.exit(1, f"hanzoo: {error}\n")
    print(table(figures))
    if options.json is not None:
        fit.write_json(options.json, figures)


if __name__ == "__main__":
    main()
