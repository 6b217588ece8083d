"""How llmlingua 0.2.2 reads a tokenizer: which pieces start a word, which are special.

The rules are read off the tokenizer, never off the model's name: WordPiece with "##", pieces with
a leading "▁", or anything else, where a word starts at white space.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

from tokenizers import Tokenizer, models

from thresher.errors import InputError
from thresher.windows import Frame

Style = Literal["wordpiece", "marked", "other"]
_MARK = "▁"


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer and the rules that the reference would read it by.

    Attributes:
        tokenizer: tokenizer that knows the placeholders of force tokens.
        style: how pieces join to words.
        before, after: special tokens around a chunk.
        special: token strings that are never words.
        unknown: id for what the model has no row for.
        unknown_token: its name, or None where the tokenizer knows every text.
        size: rows of the original vocabulary.
        force: force tokens.
        placeholder: force tokens that are not one piece -> the token put in their place.
    """

    tokenizer: Tokenizer
    style: Style
    before: tuple[int, ...]
    after: tuple[int, ...]
    special: frozenset[str]
    unknown: int
    unknown_token: str | None
    size: int
    force: frozenset[str]
    placeholder: dict[str, str]

    @classmethod
    def of(cls, tokenizer: Tokenizer, force_tokens: Sequence[str]) -> Self:
        """Read the rules off a tokenizer.

        Raises:
            InputError: a force token is empty.
        """
        if "" in force_tokens:
            raise InputError("force_tokens holds an empty string; leave it out")
        found = [
            e.tokens for e in tokenizer.encode_batch(list(force_tokens), add_special_tokens=False)
        ]
        placeholder = {
            token: f"[NEW{i}]"
            for i, (token, pieces) in enumerate(zip(force_tokens, found, strict=True))
            if len(pieces) != 1
        }
        style = _style(tokenizer)
        added = tokenizer.get_added_tokens_decoder()
        special = {t.content for t in added.values() if t.special}
        special -= {t for t in special if re.fullmatch(r"\[NEW\d+\]", t)}
        unknown_token, unknown = _unknown(tokenizer)
        if unknown_token is not None:
            special.add(unknown_token)
        before, after = _ends(tokenizer, style, unknown)
        return cls(
            _with_tokens(tokenizer, tuple(placeholder.values())),
            style,
            before,
            after,
            frozenset(special),
            unknown,
            unknown_token,
            tokenizer.get_vocab_size(with_added_tokens=True),
            frozenset(force_tokens),
            placeholder,
        )

    def starts_word(self, token: str) -> bool:
        """Whether a piece starts a word."""
        if self.style == "wordpiece":
            pure = self.pure(token)
            return self._is_forced(pure) or not token.startswith("##")
        if token in string.punctuation or self._is_forced(token):
            return True
        return token.startswith(_MARK)

    def pure(self, token: str) -> str:
        """A piece without its mark."""
        return token.lstrip({"wordpiece": "#", "marked": _MARK, "other": ""}[self.style])

    def shown(self, token: str) -> str:
        """A piece with placeholders turned back."""
        for force, new in self.placeholder.items():
            token = token.replace(new, force)
        return token

    def _is_forced(self, pure: str) -> bool:
        return pure in self.force or pure in self.placeholder.values()

    def is_forced(self, token: str) -> bool:
        """Whether a piece that starts a word is a force token."""
        return self._is_forced(self.pure(token))


def _style(tokenizer: Tokenizer) -> Style:
    if isinstance(tokenizer.model, models.WordPiece):
        return "wordpiece"
    pieces = tokenizer.encode("a a", add_special_tokens=False).tokens
    return "marked" if any(p.startswith(_MARK) for p in pieces) else "other"


def _unknown(tokenizer: Tokenizer) -> tuple[str | None, int]:
    """Name and id of the unknown token; None and 0 where there is none."""
    names = [getattr(tokenizer.model, "unk_token", None), "<unk>", "[UNK]"]
    found = ((n, tokenizer.token_to_id(n)) for n in names if n)
    return next(((n, i) for n, i in found if i is not None), (None, 0))


def _ends(
    tokenizer: Tokenizer, style: Style, unknown: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The reference asks every tokenizer for [CLS] and [SEP]; XLM-R answers <unk>."""
    if style == "other":
        frame = Frame.single(tokenizer)
        return frame.before, frame.after
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    return (unknown if cls is None else cls,), (unknown if sep is None else sep,)


@lru_cache(maxsize=8)
def _with_tokens(tokenizer: Tokenizer, tokens: tuple[str, ...]) -> Tokenizer:
    """The tokenizer, or a copy that also knows ``tokens``."""
    missing = [t for t in tokens if tokenizer.token_to_id(t) is None]
    if not missing:
        return tokenizer
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    copy.add_special_tokens(missing)
    return copy
