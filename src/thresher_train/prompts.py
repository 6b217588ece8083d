"""What a teacher is asked, and how its answers are read.

Four requests: two nested compressions of a passage (light and tight), one compression that serves
a question (focus), one of several passages that answer a question together (chain), and questions
about a passage. All compressions are made by deleting words only; the rules follow the aim of
LLMLingua-2's instruction, with two levels in place of one and explicit care for negations, numbers
and code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from thresher.errors import InputError

RULES = """\
You shorten text by striking out words. What you return must be the source with some of its
whitespace-separated words struck out and nothing else changed:
- keep the order and the spelling of the words that stay, capitals included; do not inflect,
  abbreviate, translate, merge or add anything. Punctuation at the end of a word may go when the
  words it separated are gone.
- facts must survive whole: a negation (not, no, never, without, unless, except) stays with what it
  negates, a number with its unit, a name in full where it first matters, and who did what to whom.
- code, commands, paths, keys with their values and identifiers stay or go as whole words.
- in dialogue, a speaker's label stays when any of the speaker's words stay.
- answer on single lines: write a space where the source has a line break."""

LEVELS = """\
Give two versions of the source below.
LIGHT strikes out only what a careful reader would not miss: fillers, hedges, courtesies, articles,
repetition, connecting phrases. Every fact, condition, name and figure stays. Usually half to two
thirds of the words remain; fewer in talk, more in dense text such as abstracts or logs.
TIGHT is made from LIGHT by striking out more, down to a quarter or a third of the source: what is
needed first to answer most questions about it, such as the subject, the action, the outcome, the
decisive condition or cause, dates, amounts, identifiers and error codes. Illustrations, secondary
qualifiers and background go.

Answer with exactly two lines:
LIGHT: <words>
TIGHT: <words>

SOURCE:
{text}"""

FOCUS = """\
Keep from the source below only the words that are needed to answer the question: those that state
the answer, and those that show what it is the answer to (the entity, the condition, the date, the
unit), so that somebody who sees nothing else can check it. Where the source holds just one step
towards the answer, keep that step. Usually 8 to 40 words remain. If the source does not help at
all, leave the line empty.

Answer with exactly one line:
FOCUS: <words>

QUESTION: {question}

SOURCE:
{text}"""

CHAIN = """\
The numbered sources below answer the question together, as a rule in several steps. Keep from each
source only the words that are needed beside the words kept of the others:
- those that state this source's step: the answer itself, or the name or fact that leads to the next
  source, in full (whole names and dates, numbers with their units, negations);
- those that tie the step to its subject, so that somebody who sees only what you kept can follow
  every step and check the answer: the subject's name once, the relation, the question's conditions.
Of a table keep the header and the rows needed, each row whole; where rows are compared or summed,
all of them. Usually 5 to 30 words of a source remain; none of a source that does not help.

Answer with exactly one line for each source, its number in brackets first:
[0] <words>
[1] <words>

QUESTION: {question}
ANSWER: {answer}

{sources}"""

QUESTIONS = """\
Write {count} questions that different people might put to a search engine or an assistant and that
the source below answers. Vary their form (keywords, a full question, how, why, yes or no, a
comparison, a quantity) and use your own words rather than the source's. Give the shortest answer
that the source supports.

Answer with one JSON object a line and nothing else:
{{"question": "...", "answer": "..."}}

SOURCE:
{text}"""

_LINE = re.compile(r"^[\s*#>-]*(LIGHT|TIGHT|FOCUS)\s*[*]*:[*]*[ \t]*(.*)$", re.MULTILINE)

_SOURCE = re.compile(r"^[\s*>-]*\[(\d+)\][ \t]*(.*)$", re.MULTILINE)

Messages = list[tuple[str, str]]
"""Role and text of each message, as every LangChain chat model accepts them."""


class AnswerError(InputError):
    """A teacher's answer cannot be read."""


def keep_messages(row: Mapping[str, Any]) -> Messages:
    """Ask for a light and a tight compression of ``row["text"]``."""
    return [("system", RULES), ("human", LEVELS.format(text=row["text"]))]


def focus_messages(row: Mapping[str, Any]) -> Messages:
    """Ask for the words of ``row["text"]`` that answer ``row["question"]``."""
    text = FOCUS.format(question=row["question"], text=row["text"])
    return [("system", RULES), ("human", text)]


def chain_messages(row: Mapping[str, Any]) -> Messages:
    """Ask for the words of ``row["texts"]`` that answer ``row["question"]`` together."""
    sources = "\n\n".join(f"SOURCE [{n}]:\n{text}" for n, text in enumerate(row["texts"]))
    answer = " or ".join(str(a) for a in row.get("answers", ())) or "(not given)"
    text = CHAIN.format(question=row["question"], answer=answer, sources=sources)
    return [("system", RULES), ("human", text)]


def question_messages(row: Mapping[str, Any], count: int) -> Messages:
    """Ask for ``count`` questions about ``row["text"]``."""
    return [("human", QUESTIONS.format(count=count, text=row["text"]))]


def read_keep(answer: str) -> dict[str, str]:
    """Return ``light`` and ``tight``.

    Raises:
        AnswerError: One of the lines is missing or empty.
    """
    found = _lines(answer)
    if not found.get("light") or not found.get("tight"):
        raise AnswerError(f"expected lines LIGHT: and TIGHT:, got {answer[:80]!r}")
    return {"light": found["light"], "tight": found["tight"]}


def read_focus(answer: str) -> dict[str, str]:
    """Return ``focus``, which may be empty.

    Raises:
        AnswerError: The line is missing.
    """
    found = _lines(answer)
    if "focus" not in found:
        raise AnswerError(f"expected a line FOCUS:, got {answer[:80]!r}")
    return {"focus": found["focus"]}


def read_chain(answer: str) -> list[dict[str, Any]]:
    """Return ``source`` (its number) and ``focus``, which may be empty, of each line.

    Raises:
        AnswerError: No line begins with a number in brackets.
    """
    found = {int(number): " ".join(words.split()) for number, words in _SOURCE.findall(answer)}
    if not found:
        raise AnswerError(f"expected lines [0], [1], ..., got {answer[:80]!r}")
    return [{"source": number, "focus": words} for number, words in sorted(found.items())]


def read_questions(answer: str) -> list[dict[str, Any]]:
    """Return rows with ``question`` and ``answers``; lines that are no such object are skipped.

    Raises:
        AnswerError: No line holds a question.
    """
    rows = []
    for line in answer.splitlines():
        try:
            value = json.loads(line.strip().rstrip(","))
        except json.JSONDecodeError:
            continue
        if isinstance(value, dict) and str(value.get("question", "")).strip():
            given = str(value.get("answer", "")).strip()
            question = str(value["question"]).strip()
            rows.append({"question": question, "answers": [given] if given else []})
    if not rows:
        raise AnswerError(f"expected one JSON object a line, got {answer[:80]!r}")
    return rows


def _lines(answer: str) -> dict[str, str]:
    return {name.lower(): " ".join(words.split()) for name, words in _LINE.findall(answer)}
