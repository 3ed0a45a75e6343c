"""Prose is taken out of pages and catalogs as it is."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from training import prose

PAGE = """<html><head><title>使用手冊的第一章</title><style>一二三四五六七八</style></head><body>
<p>按一下<b>字元樣式</b>圖示,就能
選擇字體!</p><table><td>小巧的儲存格內容</td><td>第二個儲存格在旁</td></table>
<pre>不是給人閱讀的程式碼</pre>輸入 <code>dpkg</code> 來查詢套件</body></html>"""


def _catalog(messages: dict[str, str], order: str = "<") -> bytes:
    """A catalog as `msgfmt` writes it, without a table of hashes."""
    texts = [
        text.encode() for side in (sorted(messages), map(messages.get, sorted(messages))) for text in side
    ]
    start = 28 + 8 * len(texts)
    places = [(len(text), start + sum(len(one) + 1 for one in texts[:at])) for at, text in enumerate(texts)]
    header = (0x950412DE, 0, len(messages), 28, 28 + 4 * len(texts), 0, 0)
    numbers = [*header, *(number for place in places for number in place)]
    return struct.pack(f"{order}{len(numbers)}I", *numbers) + b"".join(text + b"\0" for text in texts)


def test_blocks_of_a_page_are_passages_and_code_is_none() -> None:
    assert list(prose.prose(prose.of_page(PAGE))) == [
        "使用手冊的第一章",
        "按一下字元樣式圖示，就能選擇字體！",
        "小巧的儲存格內容",
        "第二個儲存格在旁",
        "輸入來查詢套件",
    ]


def test_other_writing_parts_passages() -> None:
    assert list(prose.prose(["請先安裝套件 dpkg 再重新啟動電腦", "短短的", "請先安裝套件"])) == [
        "請先安裝套件",
        "再重新啟動電腦",
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_messages_of_a_catalog_are_read(order: str) -> None:
    catalog = _catalog({"": "Language: zh_TW\n", "a": "第一行\n<b>第二行</b>", "b\0bs": "單數\0複數"}, order)
    assert [line for line in prose.of_catalog(catalog) if line] == [
        "Language: zh_TW", "第一行", "第二行", "單數", "複數",
    ]  # fmt: skip


def test_a_folder_gives_the_text_of_all_its_pages_and_catalogs(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "page.html").write_text("<p>一二三四五六七</p>", encoding="utf-8")
    (tmp_path / "a" / "of.mo").write_bytes(_catalog({"x": "七六五四三二一"}))
    (tmp_path / "a" / "picture.png").write_bytes(b"\x89PNG")
    run = [sys.executable, "-m", "training.prose", str(tmp_path)]
    done = subprocess.run(run, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines() == ["一二三四五六七", "七六五四三二一"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.mo", _catalog({"x": "一二三四五六七"})[:40], "is no catalog of messages"),
        ("other.mo", b"PK\x03\x04 and more", "is no catalog of messages (it does not begin as one)"),
        ("other.html", b"\xff\xfe\x00", "can't decode"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    run = [sys.executable, "-m", "training.prose", str(tmp_path / name)]
    done = subprocess.run(run, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert name in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
