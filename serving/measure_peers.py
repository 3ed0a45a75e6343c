"""hanzoo's recogniser beside those of PP-OCR in one run: `python -m serving.measure_peers DATA`.

Shows all of them the same characters and measures their time on one thread. Needs the extras `train`
and `compare`.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving import benchmark, latency, measure_characters, peers, reading_tables, runtime, second_look
from training import fit, labelled, pipeline, sources
from training.sources import Glyphs
from zoo import charset, kinds


def measure(
    preset: str, writers: Sequence[Glyphs], known: Sequence[peers.Peer] = peers.PEERS
) -> dict[str, Any]:
    """Measures a preset and the peers on Chinese characters.

    Args:
        preset: Name of a preset.
        writers: Labelled characters; other than Chinese ones are left out, which peers name differently.
        known: The peers.

    Returns:
        `machine`, and for each reader under `readers`: `bytes`, `milliseconds` of one character in batches
        of 32 on one thread, and `top1` of each writer; for peers both of the way to show them a character
        that they read best (`way`, one of `serving.peers.WAYS`), and `milliseconds_narrow` of bare cells,
        the least that they take. The preset stands there twice: what it answers at once, and with a second look at
        what it doubts, as `hanzoo read` reads single characters; the time of that is the mean over these characters.
    """
    chinese = [index for index, c in enumerate(charset.CHARACTERS) if c and kinds.kind(c) == "Chinese"]
    chosen = [sources.only(writer, chinese) for writer in writers if np.isin(writer.labels, chinese).any()]
    ours = runtime.preset(preset)
    session = ours.session(threads=1)
    picture = np.zeros((latency.BATCH, ours.size, ours.size, 1), np.uint8)
    readers: dict[str, Any] = {
        preset: {
            "bytes": session.path.stat().st_size,
            "milliseconds": latency.milliseconds(lambda: session.run({"image": picture})) / latency.BATCH,
            "top1": {writer.writer: _share(session, writer, ours.size) for writer in chosen},
        },
        f"{preset}, second look": {
            "bytes": session.path.stat().st_size,
            **_looked_twice(ours, session, chosen),
        },
    }
    for peer in known:
        reader = peers.PeerReader(peer)
        top1 = {way: _top1(reader, chosen, way) for way in peers.WAYS}
        best = max(peers.WAYS, key=lambda way: statistics.mean(top1[way].values()))
        times = {
            way: latency.milliseconds(functools.partial(reader.run, peers.as_lines(picture[..., 0], way)))
            for way in {best, "cell"}
        }
        readers[peer.name] = {
            "bytes": reader.path.stat().st_size,
            "milliseconds": times[best] / latency.BATCH,
            "milliseconds_narrow": times["cell"] / latency.BATCH,
            "way": best,
            "top1": top1[best],
        }
    return {
        "machine": benchmark.machine(),
        "models": {preset: ours.result["files"]["model.tflite"]["sha256"]},
        "batch": latency.BATCH,
        "preset": preset,
        "readers": readers,
    }


def _share(session: runtime.Session, writer: Glyphs, size: int) -> float:
    """The share of a writer's characters that our file reads."""
    logits = measure_characters.logits_of_file(session, writer, size)
    return float(np.mean(logits.argmax(1) == writer.labels))


def _looked_twice(
    ours: runtime.Preset, session: runtime.Session, writers: Sequence[Glyphs]
) -> dict[str, Any]:
    def run(crops: np.ndarray) -> np.ndarray:
        return session.run({"image": crops[..., None]})["logits"] / np.float32(ours.temperature)

    shares, seconds = {}, 0.0
    for writer in writers:
        cells = pipeline.clean_cells(writer, ours.size)[..., 0]
        started = time.perf_counter()
        answers = [
            second_look.logits(run, cells[start : start + latency.BATCH]).argmax(1)
            for start in range(0, len(cells), latency.BATCH)
        ]
        seconds += time.perf_counter() - started
        shares[writer.writer] = float(np.mean(np.concatenate(answers) == writer.labels))
    return {"milliseconds": 1000 * seconds / sum(len(writer.labels) for writer in writers), "top1": shares}


def _top1(reader: peers.PeerReader, writers: Sequence[Glyphs], way: str) -> dict[str, float]:
    shares = {}
    for writer in writers:
        cells = pipeline.clean_cells(writer, 96)[..., 0]
        texts = [
            text
            for start in range(0, len(cells), latency.BATCH)
            for text in reader(cells[start : start + latency.BATCH], way)
        ]
        right = [
            charset.normalise(text.strip()) == charset.CHARACTERS[label]
            for text, label in zip(texts, writer.labels, strict=True)
        ]
        shares[writer.writer] = float(np.mean(right))
    return shares


def table(result: dict[str, Any]) -> str:
    """The result as a Markdown table."""
    readers = result["readers"]
    writers = list(next(iter(readers.values()))["top1"])
    rows = [
        [
            name,
            one.get("way", ""),
            f"{one['bytes'] / 1e6:.2f}",
            f"{one['milliseconds']:.2f}",
            f"{one['milliseconds_narrow']:.2f}" if "milliseconds_narrow" in one else "",
            *(f"{one['top1'][writer]:.3f}" for writer in writers),
        ]
        for name, one in readers.items()
    ]
    shown = reading_tables.markdown(
        ["recogniser", "shown", "MB", "ms a character", "as a bare cell", *writers], rows
    )
    return (
        f"{shown}\n\nPP-OCR is shown a character as a bare cell, on white paper three times as wide, or padded as it "
        "pads lines itself, whichever way it reads best; a bare cell takes it the least time. A second look, which "
        "`hanzoo read` takes at single characters, shows those in doubt again, turned to either side. Milliseconds on one "
        f"thread, in batches of {result['batch']}: {benchmark.machine_in_words(result['machine'])}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving.measure_peers", description=__doc__)
    parser.add_argument("data", type=Path, nargs="+", help="labelled folders or files of hands")
    parser.add_argument("--preset", default="hanzinet_m")
    parser.add_argument("--json", type=Path, default=Path("results/peers/result.json"))
    options = parser.parse_args()
    try:
        writers = [writer for data in options.data for writer in labelled.read(data, charset.CHARACTERS)[0]]
        result = measure(options.preset, writers)
    except (ValueError, OSError) as error:
        parser.exit(1, f"hanzoo: {error}\n")
    print(table(result))
    fit.write_json(options.json, result)


if __name__ == "__main__":
    main()
