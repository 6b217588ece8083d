"""Readers: what answers from a context. Any LangChain chat model, or a local causal model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from thresher.scoring.entropy import EntropyScorer
from thresher.types import Int64
from thresher_train.teacher import text_of

_SYSTEM = (
    "Answer the question from the context alone, with as few words as possible. The context may be "
    "a compressed text with words left out."
)
_LONGEST = 32


@runtime_checkable
class AnswerReader(Protocol):
    """What answers a question from a context."""

    def answer(self, question: str, context: str) -> str:
        """A short answer."""
        ...


class ChatReader:
    """A LangChain chat model.

    Args:
        model: anything with LangChain's ``invoke`` on a list of role and text.
        system: instruction.
    """

    def __init__(self, model: Any, *, system: str = _SYSTEM) -> None:
        self._model = model
        self._system = system

    def answer(self, question: str, context: str) -> str:
        """See ``AnswerReader.answer``."""
        messages = [("system", self._system), ("human", f"{context}\n\nQuestion: {question}")]
        return text_of(self._model.invoke(messages)).strip()


@dataclass(frozen=True, slots=True)
class Look:
    """What a causal model makes of a context.

    Attributes:
        answer: its most likely answer, up to the end of the line.
        tokens: of the answer.
        log_probability: mean of a token of the likeliest right answer, in nats (NaN without one).
        agreement: conditional generation agreement: the share of the reference's tokens that stay
            the first choice, each behind the true ones before it (NaN without a reference).
        surprise: mean of a token of the context, in nats: how hard it is to read; the logarithm of
            the perplexity, which single short contexts would blow up in a mean.
    """

    answer: str
    tokens: tuple[int, ...]
    log_probability: float
    agreement: float
    surprise: float


class CausalReader:
    """A local causal language model, which also says how likely it finds an answer.

    Args:
        model: an ``EntropyScorer``, whose model and tokenizer are used.
        longest: tokens of an answer.
    """

    def __init__(self, model: EntropyScorer, *, longest: int = _LONGEST) -> None:
        self._model = model
        self._longest = longest
        newline = model.encode("\n")
        self._stop = tuple(int(i) for i in newline)

    def parts(self, question: str, context: str) -> tuple[Int64, Int64]:
        """Tokens of the context, its beginning cut where it is too long, and of the question."""
        tail = self._model.encode(f"\n\nQuestion: {question}\nAnswer:")
        room = max(self._model.max_length - len(tail) - 2 * self._longest, 0)
        body = self._model.encode(context)
        return body[max(len(body) - room, 0) :], tail

    def answer(self, question: str, context: str) -> str:
        """See ``AnswerReader.answer``."""
        return self.look(question, context).answer

    def look(
        self,
        question: str,
        context: str,
        answers: Sequence[str] = (),
        reference: Sequence[int] = (),
    ) -> Look:
        """Read a context once, for all figures.

        Args:
            question: the question.
            context: compressed or not.
            answers: the right ones.
            reference: tokens of the answer that was given from the uncompressed context.
        """
        body, tail = self.parts(question, context)
        reader = self._model.reader()
        surprise = reader.advance(body)
        reader.extend(tail)
        best = max(
            (-float(reader.score(self._model.encode(f" {a}")).mean()) for a in answers if a),
            default=math.nan,
        )
        expected = np.asarray(reference, dtype=np.int64)
        agree = float((reader.best(expected) == expected).mean()) if expected.size else math.nan
        tokens = reader.generate(self._longest, stop=self._stop)
        text = str(self._model.tokenizer.decode(tokens)).strip()
        mean = float(surprise.mean()) if surprise.size else math.nan
        return Look(text, tuple(tokens), best, agree, mean)
