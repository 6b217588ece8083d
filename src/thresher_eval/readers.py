"""Readers: what answers from a context. Any LangChain chat model, or a local causal model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from thresher.scoring.entropy import EntropyScorer
from thresher.types import Int64

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
        return str(self._model.invoke(messages).content).strip()


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

    def prompt(self, question: str, context: str) -> Int64:
        """Tokens of the prompt, the beginning of the context cut where it is too long."""
        tail = self._model.encode(f"\n\nQuestion: {question}\nAnswer:")
        room = self._model.max_length - len(tail) - 2 * self._longest
        return np.concatenate((self._model.encode(context)[-max(room, 0) :], tail))

    def answer(self, question: str, context: str) -> str:
        """See ``AnswerReader.answer``."""
        return self.decode(self.tokens(question, context)).strip()

    def tokens(self, question: str, context: str) -> list[int]:
        """Tokens of the most likely answer, up to the end of the line."""
        reader = self._model.reader(self.prompt(question, context))
        return reader.generate(self._longest, stop=self._stop)

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of tokens."""
        return str(self._model.tokenizer.decode(list(tokens)))

    def examine(
        self, question: str, context: str, answers: Sequence[str], reference: Sequence[int]
    ) -> tuple[float, float]:
        """Read a context once for two figures.

        Args:
            question: the question.
            context: compressed or not.
            answers: the right ones.
            reference: tokens of the answer that was given from the uncompressed context.

        Returns:
            Mean log-probability of a token of the likeliest right answer, in nats; and conditional
            generation agreement: the share of the reference's tokens that stay the first choice,
            each behind the true ones before it (NaN without a reference).
        """
        reader = self._model.reader(self.prompt(question, context))
        best = max(
            (-float(reader.score(self._model.encode(f" {a}")).mean()) for a in answers if a),
            default=float("nan"),
        )
        tokens = np.asarray(reference, dtype=np.int64)
        agree = float((reader.best(tokens) == tokens).mean()) if tokens.size else float("nan")
        return best, agree

    def perplexity(self, text: str) -> float:
        """The exponential of the mean surprise of a text: how readable the reader finds it."""
        ids = self._model.encode(text)
        return float(np.exp(self._model.surprise(ids).mean())) if ids.size else float("nan")
