"""Pieces of scripts that put no spaces between words: kana, Thai, Lao, Khmer, Burmese, Tibetan.

Without a dictionary the pieces are syllables or, for hiragana, common endings and particles: small
enough to choose between, and never part of a grapheme cluster. Han is cut by the character and
katakana by the run, which needs no pattern.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import regex

from thresher.types import Bool

_ENDINGS = """ませんでした ません ましょう ました ます でした でしょう です だった
なかった なければ ない なく ています ていました ている ていた
ていません していました していた しています している していません
しました します しない した して する される された されて から まで
より ので のに など では には とは への での との という といった とき
として について により による によって において こと もの ため よう
この その これ それ あの どの また しかし そして ある あり あった いる
いた なる なり なった だけ しか せず ず ぬ"""
HIRAGANA = re.compile("|".join(_ENDINGS.split()) + "|.[ゃゅょっぁぃぅぇぉー]*", re.DOTALL)
SYLLABLE = regex.compile(
    r"[เแโใไ]?[ก-ฮ](?:\p{M}|[ะาำๅ])*+(?:[ก-ฮ](?:[ิุ]?์))?"  # Thai
    r"|[ເແໂໃໄ]?[ກ-ຮໜໝ](?:\p{M}|[ະາຳຽ])*+"  # Lao
    r"|[\u0f00-\u0f0a\u0f0c-\u0fff]*+\u0f0b|[\u0f00-\u0f0a\u0f0c-\u0fff]++"  # Tibetan
    r"|[\u1000-\u102a\u103f](?:\p{M})*+(?:[\u1000-\u1021]\u1037?\u103a\u1037?)*+"  # Burmese
    r"|[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|\p{M})*+"  # Khmer
    r"|\X",
    regex.DOTALL,
)


def cut(text: str, runs: Bool, begin: Bool, pattern: Any) -> None:
    """Set ``begin`` at the pieces of the runs, and nowhere else within them.

    Args:
        text: the document.
        runs: characters of the script. Shape: (C,)
        begin: where units start; changed in place. Shape: (C + 1,)
        pattern: matches one piece; compiled by ``re`` or ``regex``.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], runs, [False])))).tolist()
    begin[:-1][runs] = False
    found: list[int] = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        found.append(first)
        found += [match.start() for match in pattern.finditer(text, first, last)]
    begin[found] = True
