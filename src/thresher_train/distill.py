"""Let a chat model compress passages or write questions: JSON lines in, JSON lines out.

Rows that are in the output already are not asked for again, so that an interrupted run goes on
where it stopped; rows that failed are left out and tried again by the next run.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from tqdm import tqdm

from thresher.errors import InputError
from thresher_train import prompts
from thresher_train.chat import load_chat_model
from thresher_train.chunk import chunk_row
from thresher_train.data import passage_text, read_rows
from thresher_train.prompts import Messages
from thresher_train.teacher import PaceConfig, Teacher, Usage, ask_all

Task = Literal["keep", "focus", "chain", "questions"]

_OUTPUT_SHARE = {"keep": 0.95, "focus": 0.2, "chain": 0.25, "questions": 0.0}
_FIELDS = {"focus": {"id", "text", "question"}, "chain": {"id", "question", "passages"}}
_TOKENS_PER_QUESTION = 45


@dataclass(frozen=True)
class DistillConfig:
    """What to ask a teacher.

    Attributes:
        input: Rows with ``id`` and ``text`` (and ``question`` for the focus task); for the chain
            task question-answering items: ``id``, ``question``, ``answers``, ``passages``.
        output: File to append to.
        task: ``keep`` (a light and a tight compression), ``focus`` (the words that answer the
            row's question), ``chain`` (the same of all gold passages of an item, seen together:
            one row each, with the title as first line) or ``questions`` (rows with questions
            about the passage).
        teacher: The chat model, as ``provider:model`` for LangChain's ``init_chat_model`` or as
            ``package.module:attribute``.
        questions: Questions to ask for a passage.
        chunk_tokens: Longest passage; longer ones are cut at sentence ends.
        pace: How fast to ask.
        input_price: Price of a million tokens read, for the estimate.
        output_price: Price of a million tokens written.
        estimate_only: Estimate tokens and cost, and ask nothing.
        progress: Show a progress bar.
    """

    input: Path
    output: Path
    task: Task = "keep"
    teacher: str = ""
    questions: int = 2
    chunk_tokens: int = 512
    pace: PaceConfig = field(default_factory=PaceConfig)
    input_price: float = 0.0
    output_price: float = 0.0
    estimate_only: bool = False
    progress: bool = False


@dataclass(frozen=True)
class DistillReport:
    """What was asked, or would be.

    Attributes:
        requests: Requests made in this run (or to be made).
        done_before: Rows that were in the output already.
        written: Rows written.
        failed: Why each failed row failed, by id.
        usage: Tokens reported by the teacher, or estimated.
        cost: Price of ``usage``.
    """

    requests: int
    done_before: int
    written: int
    failed: Mapping[str, str]
    usage: Usage
    cost: float


def distill(config: DistillConfig, *, teacher: Teacher | None = None) -> DistillReport:
    """Ask the teacher for every row that is not in the output yet.

    Args:
        config: What to ask.
        teacher: A chat model, in place of ``config.teacher``.

    Raises:
        InputError: No teacher was given, or a row lacks a field.
    """
    rows = list(_rows(config))
    done = _done(config)
    todo = [row for row in rows if str(row["id"]) not in done]
    requests = [_messages(config, row) for row in todo]
    if config.estimate_only:
        usage = estimate(config, todo, requests)
        return DistillReport(len(todo), len(rows) - len(todo), 0, {}, usage, _cost(config, usage))
    chosen = teacher if teacher is not None else cast(Teacher, load_chat_model(config.teacher))
    return asyncio.run(_run(config, chosen, todo, requests, len(rows) - len(todo)))


def estimate(
    config: DistillConfig, rows: Sequence[Mapping[str, Any]], requests: Sequence[Messages]
) -> Usage:
    """Estimate the tokens of requests and answers with the bundled tokenizer (within some 20 %)."""
    count = _counter()
    sample = list(range(0, len(rows), max(1, len(rows) // 500)))
    if not sample:
        return Usage()
    read = statistics.fmean(sum(count(text) for _, text in requests[i]) for i in sample)
    share = _OUTPUT_SHARE[config.task]
    written = statistics.fmean(share * count(_source(rows[i])) for i in sample)
    if config.task == "questions":
        written = _TOKENS_PER_QUESTION * config.questions
    return Usage(round(read * len(rows)), round(written * len(rows)))


async def _run(
    config: DistillConfig,
    teacher: Teacher,
    rows: Sequence[Mapping[str, Any]],
    requests: Sequence[Messages],
    done_before: int,
) -> DistillReport:
    usage, failed, written = Usage(), {}, 0
    config.output.parent.mkdir(parents=True, exist_ok=True)
    bar = tqdm(total=len(rows), disable=not config.progress, unit="request")
    with config.output.open("a", encoding="utf-8", newline="\n") as out:
        async for answer in ask_all(teacher, requests, _reader(config), config.pace):
            usage += answer.usage
            row = rows[answer.index]
            if answer.value is None:
                failed[str(row["id"])] = answer.error or "unknown"
            else:
                made = _made(config.task, row, answer.value)
                out.write("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in made))
                out.flush()
                written += len(made)
            bar.update()
    bar.close()
    return DistillReport(len(rows), done_before, written, failed, usage, _cost(config, usage))


def _rows(config: DistillConfig) -> Iterator[dict[str, Any]]:
    count = _counter()
    needed = _FIELDS.get(config.task, {"id", "text"})
    for number, row in enumerate(read_rows(config.input), start=1):
        if not needed <= row.keys():
            raise InputError(
                f"{config.input}, row {number}: got the fields {sorted(row)}, expected "
                f"{sorted(needed)} for the task {config.task}"
            )
        if config.task == "focus":
            yield row
        elif config.task == "chain":
            rest = {k: v for k, v in row.items() if k != "passages"}
            gold = [passage_text(p) for p in row["passages"] if p.get("is_gold")]
            if gold:
                yield {**rest, "texts": gold}
        else:
            yield from chunk_row(row, maximum=config.chunk_tokens, count=count)


def _source(row: Mapping[str, Any]) -> str:
    return str(row["text"]) if "text" in row else "\n\n".join(row["texts"])


def _done(config: DistillConfig) -> set[str]:
    """Ids of the rows asked for before; a last line cut off by an interruption is removed."""
    if not config.output.is_file():
        return set()
    data = config.output.read_bytes()
    if data and not data.endswith(b"\n"):
        config.output.write_bytes(data[: data.rfind(b"\n") + 1])
    name = {"questions": "passage_id", "chain": "item_id"}.get(config.task, "id")
    return {str(row[name]) for row in read_rows(config.output)}


def _messages(config: DistillConfig, row: Mapping[str, Any]) -> Messages:
    if config.task == "focus":
        return prompts.focus_messages(row)
    if config.task == "chain":
        return prompts.chain_messages(row)
    if config.task == "questions":
        return prompts.question_messages(row, config.questions)
    return prompts.keep_messages(row)


def _reader(config: DistillConfig) -> Callable[[str], list[dict[str, Any]]]:
    """Read an answer into the fields to add to each row it makes."""
    if config.task == "questions":
        return prompts.read_questions
    if config.task == "chain":
        return prompts.read_chain
    single = prompts.read_focus if config.task == "focus" else prompts.read_keep
    return lambda answer: [dict(single(answer))]


def _made(
    task: Task, row: Mapping[str, Any], values: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The rows that one answer makes of one row."""
    if task == "questions":
        source = {"passage_id": row["id"], "document": row.get("document", row["id"])}
        return [
            {**row, "id": f"{row['id']}#q{n}", **source, **value} for n, value in enumerate(values)
        ]
    if task == "chain":
        rest = {k: v for k, v in row.items() if k != "texts"}
        source = {"item_id": row["id"], "document": row.get("document", row["id"])}
        texts = dict(enumerate(row["texts"]))
        return [
            {**rest, "id": f"{row['id']}#g{n}", **source, "text": texts[n], "focus": value["focus"]}
            for value in values
            if (n := value["source"]) in texts
        ]
    return [{**row, **value} for value in values]


def _counter() -> Callable[[str], int]:
    """Count tokens with the bundled model's tokenizer."""
    from thresher.count import TokenizersCounter
    from thresher.scoring.checkpoint import BUNDLED
    from thresher_train.export import load_tokenizer

    return TokenizersCounter(load_tokenizer(BUNDLED / "small"))


def _cost(config: DistillConfig, usage: Usage) -> float:
    return (
        usage.input_tokens * config.input_price + usage.output_tokens * config.output_price
    ) / 1e6
