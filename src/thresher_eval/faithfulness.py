"""Whether a compressed text still says what its source says, judged by rules alone.

The rules are deliberately not those of Thresher's own guards: a figure that a method is judged by
must not be the one that it optimises.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from thresher_eval.data import Item
from thresher_eval.measures import Kept

_NUMBER = re.compile(r"(?<![\w.,])[-+$€£]?\d+(?:[.,:/]\d+)*%?(?![\w]|[.,:/]\d)")
_ANY_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_IDENTIFIER = re.compile(
    r"https?://\S+|[\w.+-]+@[\w-]+\.[\w.]+|(?:[\w.-]*/)+[\w.-]+|\b\w+_\w+\b|"
    r"\b[a-z]+(?:[A-Z][a-z0-9]*)+\b|\b(?=\w*\d)(?=\w*[A-Za-z])[\w-]{3,}\b|\bv?\d+(?:\.\d+){2,}\b"
)
_ENTITY = re.compile(
    r"\b[A-Z][\w'’.-]*\w(?:\s+(?:of|de|the|von|van|and)\s+[A-Z][\w'’.-]*\w|\s+[A-Z][\w'’.-]*\w)+"
)
_NEGATED = re.compile(
    r"\b(not|no|never|cannot|without|neither|nor|\w+n['’]t)\s+(\w+)", re.IGNORECASE
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a text mentions."""

    entities: frozenset[str]
    numbers: frozenset[str]
    identifiers: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Mentions:
        """Find the mentions of a text."""
        return cls(
            frozenset(" ".join(m.split()) for m in _ENTITY.findall(text)),
            frozenset(_NUMBER.findall(text)),
            frozenset(m.rstrip(".,;:)") for m in _IDENTIFIER.findall(text)),
        )


def retention(text: str, source: str) -> dict[str, float]:
    """Share of the source's entities, numbers and identifiers that stand in the text.

    Kinds that the source does not mention are absent.
    """
    mentioned = Mentions.of(source)
    flat = f" {' '.join(text.split())} "
    out = {}
    for name in ("entities", "numbers", "identifiers"):
        wanted: frozenset[str] = getattr(mentioned, name)
        if wanted:
            found = sum(bool(re.search(rf"(?<!\w){re.escape(w)}(?!\w)", flat)) for w in wanted)
            out[name] = found / len(wanted)
    return out


def violations(text: str, source: str) -> dict[str, float]:
    """Counts of what is wrong in a compressed passage.

    Returns:
        ``numbers``: numbers that the source does not have (a number was cut or glued).
        ``identifiers``: the same for URLs, paths, versions, names with digits or underscores.
        ``negations``: words that the source negates and that stand in the text without their
            negation. Where the source has the word unnegated too, those are counted off.
    """
    return {
        "numbers": float(_new(_ANY_NUMBER, text, source)),
        "identifiers": float(_new(_IDENTIFIER, text, source)),
        "negations": float(_lost_negations(text, source)),
    }


def _new(pattern: re.Pattern[str], text: str, source: str) -> int:
    known = set(pattern.findall(source))
    return sum(
        m not in known and m.rstrip(".,;:)") not in {k.rstrip(".,;:)") for k in known}
        for m in pattern.findall(text)
    )


def _lost_negations(text: str, source: str) -> int:
    negated = Counter(w.lower() for _, w in _NEGATED.findall(source))
    still = Counter(w.lower() for _, w in _NEGATED.findall(text))
    total = Counter(w.lower() for w in _WORD.findall(source))
    kept = Counter(w.lower() for w in _WORD.findall(text))
    return sum(
        max(kept[w] - still[w] - (total[w] - negated[w]), 0) for w in negated if kept[w] > still[w]
    )


def is_extractive(text: str, source: str) -> bool:
    """Whether the words of the text, punctuation aside, are a subsequence of the source's."""
    words = iter(_WORD.findall(source))
    return all(any(w == s for s in words) for w in _WORD.findall(text))


def invented(text: str, source: str) -> list[str]:
    """Entities and numbers of a rewritten text that the source does not have."""
    flat = " ".join(source.split()).lower()
    found = Mentions.of(text)
    return sorted(m for m in (*found.entities, *found.numbers) if m.lower() not in flat)


def faithfulness(kept: Kept, item: Item) -> dict[str, float]:
    """All rules over the passages of an item.

    Returns:
        ``extractive``: whether every passage's text is a subsequence of the passage's words;
        ``kept_*``: retention over the whole context; ``violations_*``: counts over all passages.
        Where a method does not say which passage its text is of, the context is the source.
    """
    out: dict[str, float] = {"extractive": 1.0}
    total: Counter[str] = Counter()
    for index, text in kept:
        source = item.context() if index < 0 else item.passages[index].text
        out["extractive"] = min(out["extractive"], float(is_extractive(text, source)))
        total.update(violations(text, source))
    out |= {f"violations_{n}": float(total[n]) for n in ("numbers", "identifiers", "negations")}
    text = "\n\n".join(t for _, t in kept)
    return out | {f"kept_{n}": v for n, v in retention(text, item.context()).items()}


def mean_of(rows: Sequence[dict[str, float]], name: str) -> float:
    """Mean of a figure over the items that have it."""
    values = [r[name] for r in rows if name in r]
    return sum(values) / len(values) if values else float("nan")
