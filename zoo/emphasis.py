"""How often training draws a character beside what its samples would have it, and a page of Chinese shows it.

Signs fill pages, and few hands wrote digits, letters and bopomofo, so training draws them more often; look-alikes of
what fills pages it draws less often. A recogniser is asked for a character of which nothing else is known. So its loss
takes the emphasis out again, as in the paper below, and its scores are those of characters that are all as likely. Who
reads a text adds the logarithm of the emphasis to them.

numpy only.

Reference:
    Menon et al. 2021, logits adjusted by what is drawn, https://arxiv.org/abs/2007.07314
"""

from collections.abc import Sequence

import numpy as np

from zoo import kinds

_DRAWN = (
    (8.0, ",:;?!()"),
    (4.0, "、。「」…—"),
    # + 十, ' ，, ‘ 。, 夭 天. Others, such as %, are no danger.
    (0.4, "\"'*+-^_`|“”‘’×°ˉˊˇˋ˙ㄧ夭孑"),
)
_OTHERS = 2.0  # Many look like parts of Chinese characters.


def of(characters: Sequence[str]) -> np.ndarray:
    """The emphasis of each class, float32 (classes,).

    Args:
        characters: The character of each class; "" is the empty cell.
    """
    known = {character: factor for factor, some in _DRAWN for character in some}
    return np.array([known[one] if one in known else _usual(one) for one in characters], np.float32)


def _usual(character: str) -> float:
    return 1.0 if not character or kinds.kind(character) == "Chinese" else _OTHERS
