"""Write the model card from what is known: configuration, data, recipe and measures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHAPE_FIELDS = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")
"""Fields of ``config.json`` that tell the size of a model."""

_USE = {
    "keep": (
        "| `keep` | the passage alone | the word is worth keeping, whatever will be asked: "
        "about 1 for words of a tight compression, 0.5 for those of a light one only, else 0 |"
    ),
    "focus": (
        "| `focus` | question and passage as a pair | the word is needed to answer this question "
        "from this passage |"
    ),
}

_NAMES = {
    "light_auc": "word AUC, in the light or tight compression",
    "tight_auc": "word AUC, in the tight compression",
    "focus_auc": "word AUC, needed for the question",
    "light_precision": "precision when as many words are kept as in the light compression",
    "tight_precision": "precision when as many words are kept as in the tight compression",
    "focus_precision": "precision when as many words are kept as needed for the question",
}

_LIMITS = """\
- English; 50 to 200 words a passage in training. Other languages pass through the English
  vocabulary of the base model and are scored poorly.
- The labels are one language model's opinion of what matters, not a human's and not a reader's
  success. A word that few questions need can be the one that yours needs: give the question.
- Scores are ranks more than probabilities: they are trained on soft targets.
- Dropping words can change what a passage says. Thresher's guards keep negations and figures
  with their words, but a compressed passage is for a model to read, not to be quoted.
- The int8 graph takes its scales from each call: score one window a call for repeatable results.
"""


@dataclass(frozen=True)
class CardFacts:
    """What goes into a model card.

    Attributes:
        name: Name of the model.
        block: The ``thresher`` block of ``config.json``.
        shape: Size fields of ``config.json``.
        rows: Training rows, for their sources and licences.
        training: ``metrics.json`` of the run, or empty.
        gate: Comparison of int8 with float32, or empty.
    """

    name: str
    block: Mapping[str, Any]
    shape: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    training: Mapping[str, Any]
    gate: Mapping[str, Any]


def model_card(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    sections = [_head(facts), _outputs(facts), _data(facts), _recipe(facts), _measures(facts)]
    return "\n".join([*(s for s in sections if s), "## Limits\n", _LIMITS])


def _head(facts: CardFacts) -> str:
    shape = ", ".join(f"{facts.shape[k]} {k}" for k in SHAPE_FIELDS if k in facts.shape)
    base = f", started from {facts.block['base']}" if facts.block.get("base") else ""
    return (
        f"---\nlicense: apache-2.0\npipeline_tag: token-classification\nlanguage: en\n---\n\n"
        f"# {facts.name} {facts.block.get('version', '')}\n\n"
        f"A Thresher token classifier ({facts.shape.get('model_type', 'encoder')}: "
        f"{shape.replace('num_', '').replace('_', ' ')}{base}). It scores the words of retrieved "
        "passages so that the best of them can be kept within a token budget.\n"
    )


def _outputs(facts: CardFacts) -> str:
    lines = [_USE[name] for name in facts.block.get("outputs", ()) if name in _USE]
    text = "## Outputs\n\n| output | input | probability that |\n|---|---|---|\n" + "\n".join(lines)
    activation = facts.block.get("activation", "sigmoid")
    text += f"\n\nActivation: {activation}, in float32; a word's score is the mean of its tokens'. "
    text += f"Windows hold at most {facts.block.get('window')} tokens.\n"
    if facts.block.get("paired"):
        text += (
            "\nBeside a question, `keep` learns what an earlier model said of the passage alone: "
            "one pass over question and passage gives everything.\n"
        )
    if facts.block.get("embedding"):
        text += (
            "\nThe mean of the last hidden states over a sentence's tokens, and over a question "
            "encoded alone, are trained to match the base model's sentence embeddings: their "
            "cosine tells how relevant the sentence is.\n"
        )
    return text


def _data(facts: CardFacts) -> str:
    if not facts.rows:
        return ""
    genres = Counter(str(row.get("genre", "other")) for row in facts.rows)
    licences = Counter(str(row["licence"]) for row in facts.rows if row.get("licence"))
    sources = sorted({str(row["source"]).split("@")[0] for row in facts.rows if row.get("source")})
    unnamed = sorted({str(r.get("genre")) for r in facts.rows if not r.get("source")})
    text = (
        f"## Data\n\n{len(facts.rows)} rows: passages with two nested extractive compressions, and "
        "questions with the words needed to answer them, written by a large language model.\n\n"
        f"- Genres: {_counted(genres)}.\n- Licences as the rows state them: {_counted(licences)}.\n"
        f"- Sources: {', '.join(sources)}.\n"
    )
    if unnamed:
        text += f"- Questions and passages from the training parts of: {', '.join(unnamed)}.\n"
    return text


def _recipe(facts: CardFacts) -> str:
    if not facts.training:
        return ""
    lines = [f"- {key}: {value}" for key, value in facts.training.get("recipe", {}).items()]
    windows = ", ".join(f"{n} {kind}" for kind, n in facts.training.get("windows", {}).items())
    note = facts.training.get("note")
    head = f"## Recipe\n\nWindows an epoch: {windows} ({facts.training.get('tokens')} tokens).\n"
    return head + (f"{note}\n" if note else "") + "\n" + "\n".join(lines) + "\n"


def _measures(facts: CardFacts) -> str:
    full = dict(facts.training.get("measures", {}))
    small = dict(facts.gate.get("int8_measures", {}))
    full |= facts.gate.get("float_measures", {})
    if not full:
        return ""
    rows = [
        f"| {_NAMES[name]} | {full[name]:.4f} | {f'{small[name]:.4f}' if name in small else '-'} |"
        for name in _NAMES
        if name in full
    ]
    text = "## Measures\n\nOn held-out documents, words as units.\n\n"
    text += "| measure | float32 | int8 |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    if facts.gate:
        shares = ", ".join(f"{v:.2%} at rate {k}" for k, v in facts.gate["agreement"].items())
        text += (
            f"\nShare of words that int8 keeps or drops like float32, each passage cut to the same "
            f"rate: {shares} (rank correlation {facts.gate['spearman']:.4f}).\n"
        )
    return text


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.most_common())
