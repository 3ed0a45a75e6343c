import json
from pathlib import Path

from serving import generator_tables, report
from training.recipe import from_json

RUN = {
    "parameters": 2_500_000,
    "characters": "一二三",
    "held_out": "",
    "data": {"pictures": 1200},
    "training": {"seconds": 630},
    "validation": {"kid": 0.123, "fid": 4, "agreement": 0.95, "diversity": 0.8, "copy_rate": 0.06},
}
UNSEEN = {**RUN["validation"], **{f"{name}_unseen": 0.5 for name in RUN["validation"]}}
INTERVAL = {"gain": 0.03, "low": 0.01, "high": 0.05}
WORSE = {"gain": -0.03, "low": -0.05, "high": -0.01}
GATE = {
    "data": "casia",
    "characters": "一丁",
    "machine": {"cpu": "an abacus", "cores": 2, "python": "3.11"},
    "classes": 100,
    "people": {"w06": 500, "s11": 400},
    "settings": {"shots": [None], "seeds": 3, "steps": 700, "added": 20},
    "recogniser": "hanzinet_m",
    "seconds": 1800,
    "rivals": [{"shots": None, "real": 0.5, "distorted": 0.6, "copies": 0.61}],
    "generators": [
        {
            "name": "cgan",
            "legible": 0.9,
            "accepted": False,
            "rows": [
                {
                    "shots": None,
                    "generated": 0.64,
                    "best": "copies",
                    "over_copies": INTERVAL,
                    "over_best": WORSE,
                }
            ],
            "over_copies": INTERVAL,
            "over_best": WORSE,
        }
    ],
}


def test_the_report_shows_generators_and_gates(tmp_path: Path) -> None:
    for folder, name, content in (
        ("generators", "wgan", {**RUN, "validation": {**RUN["validation"], "evenness": 0.9}}),
        ("generators", "cgan", {**RUN, "characters": "", "held_out": "四五"}),
        ("generators", "fewshot", {**RUN, "characters": "", "held_out": "四五", "validation": UNSEEN}),
        ("gate", "result", GATE),
    ):
        file = tmp_path / "results" / folder / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content), encoding="utf-8")
    text = report.report(tmp_path / "presets", tmp_path / "results")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
    first, last = ["0.123", "4.000", "0.950", "0.800"], ["0.060", "", "2.50", "1,200", "10"]
    assert ["wgan", "3 that trained", *first, "0.900", *last] in rows
    assert ["cgan", "2 held out", *first, "", *last] in rows
    assert "docs/samples/wgan.png" in text
    assert [
        "fewshot, hands that did not train",
        "2 held out",
        *["0.500"] * 4,
        "",
        "0.500",
        "",
        *last[2:],
    ] in rows
    assert "100 characters on 900 samples of 2 people" in text
    assert "see 700 batches" in text
    assert (
        "cgan: not accepted, surely worse than the best rival in the rows all, together; 0.90 of what it was asked for is legible"
        in text
    )
    gains = ["+0.030", "+0.010 to +0.050", "-0.030", "-0.050 to -0.010"]
    assert ["all", "0.500", "0.600", "0.610", "0.640", *gains] in rows
    assert (
        "no model trained on them.\n\n`hanzoo gate runs/cgan --data casia --characters 一丁 --glyph-font FONT`"
        in text
    )
    assert "(w06 500, s11 400)" in text
    crowd = {f"p{number}": 5 for number in range(40)}
    assert "on 200 samples of 40 people whom" in generator_tables.gates({**GATE, "people": crowd})


def test_the_recipes_of_published_models_can_be_read_again() -> None:
    files = [*report.ROOT.glob("zoo/presets/*/result.json"), *report.ROOT.glob("results/generators/*.json")]
    recipes = {path: json.loads(path.read_text(encoding="utf-8")).get("recipe") for path in files}
    read = {path: from_json(content) for path, content in recipes.items() if content}
    assert len(read) > 8
    assert all(read[path].model == recipes[path]["model"] for path in read)
