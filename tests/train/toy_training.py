"""Toy rows and a recorded teacher, for the tests of training."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SENTENCES = [
    "The committee decided that it will not raise the annual membership fee of $45 this year.",
    "Install with pip install thresher==0.1.0 and read docs/guide.md, or ask admin@example.org.",
    "In 2024 the measured temperature was 3.5 higher than in 1961, not 2.5 as reported.",
    "Weather in the mountains was mild, and nobody talked about money at all.",
]
FILLERS = {"the", "that", "it", "was", "in", "and", "or", "will", "with", "this", "as", "at"}


def compressions(text: str) -> dict[str, str]:
    """Light drops fillers, tight keeps words with a capital or a digit."""
    light = [w for w in text.split() if w.lower() not in FILLERS]
    tight = [w for w in light if w[0].isupper() or any(c.isdigit() for c in w) or w == "not"]
    return {"light": " ".join(light), "tight": " ".join(tight)}


def passage_row(number: int) -> dict[str, Any]:
    """Two sentences with their compressions."""
    text = f"{SENTENCES[number % 4]} {SENTENCES[(number // 4 + 1) % 4]} Item {number} closed."
    return {"id": f"doc-{number}", "text": text, **compressions(text)}


def question_row(number: int) -> dict[str, Any]:
    """A question whose focus is the last three words."""
    row = passage_row(number)
    focus = " ".join(row["text"].split()[-3:])
    question = f"What closed as item {number}?"
    return {"id": f"doc-{number}#q0", "text": row["text"], "question": question, "focus": focus}


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


class RecordedTeacher:
    """Answers like a chat model: by the rule of ``compressions``, with a fault where told."""

    def __init__(self, *, faults: dict[int, Any] | None = None) -> None:
        self.calls = 0
        self.faults = faults or {}

    def invoke(self, messages: list[tuple[str, str]]) -> Any:
        self.calls += 1
        fault = self.faults.get(self.calls)
        if isinstance(fault, Exception):
            raise fault
        prompt = messages[-1][1]
        sources = re.findall(r"SOURCE \[(\d+)\]:\n(.*(?:\n.+)*)", prompt)
        text = prompt.split("SOURCE:\n", 1)[-1]
        if sources:
            answer = "\n".join(f"[{n}] {' '.join(body.split()[:2])}" for n, body in sources)
        elif "QUESTION:" in prompt:
            answer = "FOCUS: " + " ".join(text.split()[-3:])
        elif "questions that different people" in prompt:
            answer = '{"question": "what closed?", "answer": "item"}\nnot json\n'
        else:
            made = compressions(text)
            answer = f"**LIGHT:** {made['light']}\nTIGHT: {made['tight']}"
        usage = {"input_tokens": len(prompt.split()), "output_tokens": len(answer.split())}
        content = fault if isinstance(fault, str) else answer
        return SimpleNamespace(content=content, usage_metadata=usage)
