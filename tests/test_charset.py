from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zoo import charset

CHARACTERS = charset.CHARACTERS[1:]


def test_the_charset_holds_what_pages_need() -> None:
    assert charset.CHARACTERS[0] == ""
    assert len(set(charset.CHARACTERS)) == len(charset.CHARACTERS) == 4972
    wanted = "說從總，。、；：「」『』？！（）《》〈〉—…‧ＡＺａｚ０９!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    assert charset.supports(wanted)
    assert charset.supports("".join(map(chr, range(0x3105, 0x312A))))  # bopomofo
    assert charset.supports("ˉˊˇˋ˙")


def test_all_common_characters_are_there(shared: Path) -> None:
    common = (shared / "charset" / "moe4808.txt").read_text(encoding="utf-8").split()
    assert len(common) == 4808
    assert set(common) <= set(CHARACTERS)


@given(st.text(alphabet=CHARACTERS))
def test_text_of_the_charset_survives_a_round_trip(text: str) -> None:
    assert charset.decode(charset.encode(text)) == text


@given(st.text())
def test_normalising_twice_changes_nothing_and_keeps_the_length(text: str) -> None:
    once = charset.normalise(text)
    assert charset.normalise(once) == once
    assert len(once) == len(text)


@given(st.text(alphabet=[*CHARACTERS, *"，！？：；（）︵︶﹁﹂"]))
@example(":,—")
def test_full_width_punctuation_keeps_its_ids(text: str) -> None:
    assert charset.encode(charset.fullwidth(text)) == charset.encode(text)
    assert charset.fullwidth(charset.fullwidth(text)) == charset.fullwidth(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("，", ","),
        ("﹁", "「"),
        ("︱", "—"),
        ("︙", "…"),
        ("・", "‧"),
        ("⼀", "一"),
        ("爲", "為"),
        ("Ａ", "A"),
    ],
)
def test_forms_of_a_character_share_its_class(written: str, meant: str) -> None:
    assert charset.normalise(written) == meant
    assert charset.encode(written) == charset.encode(meant)


def test_punctuation_widens_beside_chinese_only() -> None:
    assert charset.fullwidth("你好,世界!") == "你好，世界！"
    assert charset.fullwidth("Hello, world!") == "Hello, world!"
    assert charset.fullwidth("ok?!說") == "ok？！說"


def test_each_variant_leads_into_the_charset() -> None:
    for variant, meant in charset._VARIANTS.items():
        assert variant not in charset.CHARACTERS
        assert meant in charset.CHARACTERS


def test_unknown_characters_and_ids_are_named() -> None:
    with pytest.raises(ValueError, match=r"'龘' \(U\+9F98\)"):
        charset.encode("一龘")
    with pytest.raises(ValueError, match="Received: 4972"):
        charset.decode([1, 4972])
