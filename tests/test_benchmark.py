"""The benchmark measures the real reader, and says what it saw."""

from pathlib import Path

import pytest

from serving import benchmark

PAGE = Path(__file__).parents[1] / "examples" / "pupil.jpg"


def test_stages_are_parts_of_the_whole() -> None:
    found = benchmark.warm(str(PAGE), 2)
    assert found["layout"] == "grid"
    assert found["cells"] >= found["characters"] > 50
    assert set(found["stages"]) == set(benchmark.STAGES)
    assert all(milliseconds > 0 for milliseconds in found["stages"].values())
    # Without help from other threads it takes no less than with it, and not many times as long.
    assert 0.5 < sum(found["stages"].values()) / found["milliseconds"] < 4


def test_a_stage_inside_another_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from serving import images
    from zoo import manuscript

    monkeypatch.setattr(manuscript, "find", lambda: images.decode())
    monkeypatch.setattr(images, "decode", lambda: 1)
    spent = dict.fromkeys(benchmark.STAGES, 0.0)
    with benchmark._stopwatches(spent):
        assert manuscript.find() == 1
    assert spent["find"] > 0
    assert spent["decode"] == 0


def test_of_three_starts_the_shortest_time_and_the_most_memory_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts = iter([(3.0, 80.0), (1.0, 70.0), (2.0, 90.0)] * 2)
    monkeypatch.setattr(
        benchmark, "cold", lambda page: dict(zip(("seconds", "megabytes"), next(starts), strict=True))
    )
    found = benchmark.measure(str(PAGE), repeat=1)
    assert found["page"] == "pupil.jpg"
    assert [run["cold"] for run in found["runs"]] == [{"seconds": 1.0, "megabytes": 90.0}] * len(
        found["runs"]
    )
    assert found["runs"][0]["threads"] == 1
    shown = benchmark.table(found)
    assert "| 90 MB" in shown
    assert f"{found['runs'][0]['warm']['milliseconds']:.0f} ms" in shown


def test_a_start_measures_the_memory_of_a_process_of_its_own() -> None:
    found = benchmark.cold(str(PAGE))
    assert 0.1 < found["seconds"] < 60
    assert 50 < found["megabytes"] < 1000
    with pytest.raises(RuntimeError, match=r"failed: .*nowhere\.jpg"):
        benchmark.cold("nowhere.jpg")
