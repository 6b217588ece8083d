"""What compression costs and saves: the break-even, and when not to compress."""

from __future__ import annotations

import resource
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from thresher import Compressor
from thresher_eval.data import Item


@dataclass(frozen=True, slots=True)
class Measured:
    """Cost of compressing.

    Attributes:
        seconds: median of one call.
        tokens: mean tokens of the input.
        per_second: tokens in a second, all calls together.
        peak_mb: largest resident memory of the process so far, in MB.
        calls: how many were timed.
    """

    seconds: float
    tokens: float
    per_second: float
    peak_mb: float
    calls: int


def measure(
    compressor: Compressor, items: Sequence[Item], ratio: float, *, query: bool = True
) -> Measured:
    """Time ``compress`` on items, one call each after a first that is not counted."""
    seconds, tokens = [], []
    for number, item in enumerate([items[0], *items]):
        start = perf_counter()
        found = compressor.compress(item.texts, query=item.question if query else None, ratio=ratio)
        if number:
            seconds.append(perf_counter() - start)
            tokens.append(found.tokens_before)
    scale = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6
    return Measured(
        statistics.median(seconds),
        statistics.fmean(tokens),
        sum(tokens) / sum(seconds),
        peak,
        len(seconds),
    )


@dataclass(frozen=True, slots=True)
class Target:
    """The model that reads the text.

    Attributes:
        price: of a million input tokens, in any currency; 0 for a model of one's own.
        prefill: input tokens which it reads in a second, for this request.
        cached: share of the price of a token that the provider's prompt cache still holds; 1
            where nothing is cached. Compressed text differs with every query, so it never is.
    """

    price: float
    prefill: float
    cached: float = 1.0


@dataclass(frozen=True, slots=True)
class Balance:
    """What one call gains.

    Attributes:
        seconds: saved reading time less compression time; negative is a loss.
        money: saved price, compression counted at ``machine`` an hour.
    """

    seconds: float
    money: float

    @property
    def worth_it(self) -> bool:
        """Whether time or money is saved and neither is lost."""
        return min(self.seconds, self.money) >= 0 < max(self.seconds, self.money)


def balance(
    tokens: float, ratio: float, per_second: float, target: Target, *, machine: float = 0.0
) -> Balance:
    """Gain of compressing one call.

    Args:
        tokens: of the uncompressed context.
        ratio: kept share.
        per_second: tokens that the compressor handles in a second.
        target: the model that reads the text.
        machine: price of an hour of the machine that compresses.
    """
    spent = tokens / per_second
    before = tokens * target.price * target.cached / 1e6
    after = tokens * ratio * target.price / 1e6
    return Balance(
        seconds=tokens * (1 - ratio) / target.prefill - spent,
        money=before - after - spent * machine / 3600,
    )


def break_even_prefill(ratio: float, per_second: float) -> float:
    """Reading speed of the target, in tokens a second, above which compression only adds time."""
    return (1 - ratio) * per_second


def break_even_cached(ratio: float) -> float:
    """Share of the price of cached tokens below which an uncompressed cached prefix is cheaper."""
    return ratio
