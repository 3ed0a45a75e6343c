"""Composes the example pages: `python examples/make.py FONT`, from the root of the repository.

Writes essay.jpg, letter.jpg, pupil.jpg and note.jpg beside this file, and the text of each in a `.txt` file,
a line for each line of the page. The same font gives the same pages.
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from training import glyphs, pages, photograph, sheets, sources, writing  # noqa: E402
from training.paper import Paper  # noqa: E402

ESSAY = """\
　　　　雨後的操場
今天下午第二節課，天空忽然暗了下來。風把窗外的樹葉吹得沙沙響，不久，大雨就落在操場上。同學們都放下手中的筆，望著窗外，誰也不說話。
雨停了以後，老師帶我們走出教室。操場上有許多小水池，每一個水池裡都有一片藍色的天。小明笑著說：「你們看，我一腳踩進天空裡了！」大家聽了，都跟著笑起來。
老師問我們：「你們覺得雨有顏色嗎？」我想了很久，才回答：「雨沒有顏色，可是它能讓所有的顏色變得更亮。」老師點點頭，把這句話寫在黑板上。
回家的路上，我看見路邊的小花都抬起了頭。原來，一場大雨不只帶走了熱氣，也把清新的空氣和好心情送給了我們。我希望明天還能再看見這樣的天空。
"""

LETTER = """\
外婆：您好！好久沒有寫信給您，不知道您最近身體好不好？臺北這幾天都是晴天，白天有點熱，晚上的風卻很涼快，出門要多帶一件外衣。
上個星期六，爸爸帶我和弟弟去爬山。山路很長，弟弟走到一半就說：「我走不動了。」媽媽拿出您做的綠豆糕，他吃了兩塊，又高高興興地往前跑。到了山頂，我們看見遠遠的海，海上有三艘白色的船，好像停在天邊一樣。
學校下個月要開運動會，我報名參加跑步和跳遠。每天放學以後，我都和同學一起練習；雖然很累，可是我一天比一天跑得快。老師說，最重要的不是第一名，而是不放棄。您說對不對？
放寒假的時候，我們全家會回去看您。我想和您一起去市場買菜，還想學做您最拿手的紅豆湯。請您要多喝水、早點睡，不要太辛苦。
祝您身體健康，天天快樂！
　　　　　　　　　　　　　　孫女小雲敬上
"""

PUPIL = """\
　　　我的小貓
我家有一隻小貓，牠的毛像雪一樣白，眼睛又圓又亮。
每天早上，牠都會跳到我的床上，好像在說：「快起來，上學了！」
"""

NOTE = """\
媽媽：
我和同學去圖書館看書，
五點半以前會回家。
冰箱裡的綠豆湯我喝了一碗，
剩下的留給弟弟。
晚餐想吃番茄炒蛋，好嗎？
小雲　下午一點
"""


@dataclasses.dataclass(frozen=True)
class Example:
    """What is written on a page, on which paper, with which ink, and how its picture is taken."""

    text: str
    sheet: sheets.Sheet
    ink: str
    take: Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, photograph.Warp]]
    seed: int


EXAMPLES = {
    "essay": Example(
        ESSAY,
        sheets.Sheet(
            rows=20,
            columns=20,
            cell=(62, 62),
            gutter=20,
            fold=62,
            frame=2,
            frame_gap=10,
            line_colour=(80, 150, 95),
            margins=(110, 120, 110, 130),
            caption="20x20=400",
        ),
        "blue",
        lambda page, rng: photograph.phone(page, rng, 0.2),
        seed=1,
    ),
    "letter": Example(
        LETTER,
        sheets.Sheet(
            rows=25,
            columns=24,
            cell=(56, 56),
            direction="horizontal",
            gutter=16,
            frame_gap=8,
            line_colour=(200, 95, 85),
            margins=(90, 110, 90, 110),
            paper=(250, 250, 248),
        ),
        "black",
        photograph.scan,
        seed=2,
    ),
    "pupil": Example(
        PUPIL,
        sheets.Sheet(
            rows=10,
            columns=8,
            cell=(126, 126),
            gutter=42,
            frame_gap=21,
            line_colour=(95, 135, 200),
            line_width=2.5,
            margins=(110, 110, 110, 130),
            cross=True,
        ),
        "pencil",
        lambda page, rng: photograph.phone(page, rng, 0.5),
        seed=4,
    ),
}


def main() -> None:
    """Writes the pages."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("font", type=Path, help="a handwriting font, TrueType, OpenType or WOFF2")
    font = parser.parse_args().font
    hand = glyphs.FontHand(font, 160)
    for name, example in EXAMPLES.items():
        rng = np.random.default_rng([example.seed, 10])
        page, truth = sheets.compose(example.text, example.sheet, hand, rng, ink=example.ink)
        picture, _ = example.take(page, rng)
        _save(name, picture, truth["text"])
    _save("note", _note(font), NOTE.rstrip())


def _note(font: Path) -> np.ndarray:
    """The picture of a page without cells, uint8 (h, w, 3) RGB."""
    rng = np.random.default_rng(3)
    ruled = Paper(kind="ruled", margin=0.08)
    style = pages.PageStyle(1240, 1100, 64, paper=ruled, ink="blue", pitch=1.6, margins=(2.5, 2.0, 1.5, 1.5))
    page = pages.write_lines(NOTE.splitlines(), writing.Hand(sources.read_font(font)), style, rng)
    picture, _ = photograph.phone(page.image, rng, 0.3)
    return picture


def _save(name: str, picture: np.ndarray, text: str) -> None:
    cv2.imwrite(str(HERE / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    (HERE / f"{name}.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
