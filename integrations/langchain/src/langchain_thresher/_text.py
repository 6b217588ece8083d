"""The texts of a message that may be compressed, and how to put others in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

MessageT = TypeVar("MessageT", bound=BaseMessage)


def texts(message: BaseMessage) -> list[str]:
    """The plain text pieces of a message's content, in order.

    Reasoning, media, tool calls and every other block are none; neither is text whose citations
    or annotations point into it by offset.
    """
    if isinstance(message.content, str):
        return [message.content]
    found = (_plain(block) for block in message.content)
    return [text for text in found if text is not None]


def with_texts(message: MessageT, new: Sequence[str]) -> MessageT:
    """A copy of the message with other texts; everything else is the same.

    Args:
        message: any message; it is not changed.
        new: one text for each of ``texts(message)``.
    """
    if isinstance(message.content, str):
        return message.model_copy(update={"content": new[0]})
    rest = iter(new)
    content: list[Any] = []
    for block in message.content:
        if _plain(block) is None:
            content.append(block)
        elif isinstance(block, str):
            content.append(next(rest))
        else:
            content.append({**block, "text": next(rest)})
    return message.model_copy(update={"content": content})


def role(message: BaseMessage) -> str | None:
    """``tool``, ``ai`` or ``human``; None for what is never changed, error results among it."""
    if isinstance(message, ToolMessage):
        return None if message.status == "error" else "tool"
    if isinstance(message, AIMessage):
        return "ai"
    return "human" if isinstance(message, HumanMessage) else None


def last_human(messages: Sequence[BaseMessage]) -> int:
    """Index of the last human message, or -1."""
    return max((i for i, m in enumerate(messages) if isinstance(m, HumanMessage)), default=-1)


def question(messages: Sequence[BaseMessage]) -> str | None:
    """The text of the last human message, or None."""
    index = last_human(messages)
    return "\n".join(texts(messages[index])).strip() or None if index >= 0 else None


def _plain(block: Any) -> str | None:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict) or block.get("type") != "text":
        return None
    text = block.get("text")
    pinned = block.get("annotations") or block.get("citations")
    return text if isinstance(text, str) and not pinned else None
