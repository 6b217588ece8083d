"""A LangChain agent whose long tool results are compressed on their way to the model, offline.

    pip install thresher 'langchain-thresher[agents]'
    python examples/langchain_agent.py

The chat model is a stand-in that needs no network: it calls the tool twice and then answers. For a
real one change the line marked below; nothing else.
"""

from __future__ import annotations

import re
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langchain_thresher import ThresherMiddleware
from pydantic import Field

QUESTION = "Which pump was replaced in week 31, and by whom?"
BUDGET = 800


@tool
def read_log(week: int) -> str:
    """Read the maintenance log of a week."""
    lines = [
        f"Week {week}, day {day}, {hour:02d}:00. Pressure at gate {gate} was {3 + gate / 10:.1f} "
        "bar and everything ran as usual; the shift had nothing to report."
        for day in range(1, 6)
        for hour, gate in ((6, 1), (10, 2), (14, 3), (18, 4))
    ]
    if week == 31:
        lines[9] += " Pump P-17 at gate 2 was replaced by Irena Kovac because of a leaking seal."
    return "\n".join(lines)


class OfflineChat(BaseChatModel):
    """Stand-in: reads the logs of weeks 30 and 31, then quotes what it finds on pumps."""

    sent: list[int] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "offline"

    def bind_tools(self, tools: Any, **kwargs: Any) -> OfflineChat:
        """The tools are known."""
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.sent.append(count_tokens_approximately(messages))
        results = [m for m in messages if isinstance(m, ToolMessage)]
        if len(results) < 2:
            call = {
                "name": "read_log",
                "args": {"week": 30 + len(results)},
                "id": str(len(results)),
            }
            message = AIMessage("", tool_calls=[call])
        else:
            found = re.findall(r"[^.\n]*P-17[^.\n]*\.?", "\n".join(str(m.content) for m in results))
            message = AIMessage(" ".join(found).strip() or "I found nothing about it.")
        return ChatResult(generations=[ChatGeneration(message=message)])


def main() -> None:
    model = OfflineChat()  # <- real: init_chat_model("anthropic:claude-sonnet-4-5")

    agent = create_agent(
        model,
        [read_log],
        middleware=[ThresherMiddleware(max_tokens=BUDGET)],
    )
    state = agent.invoke({"messages": [("human", QUESTION)]})

    print(f"Question: {QUESTION}")
    print(f"The agent's state holds {count_tokens_approximately(state['messages'])} tokens.")
    print(f"The model was sent {model.sent} tokens, with a budget of {BUDGET}.")
    print(f"Answer: {state['messages'][-1].content}")
    assert max(model.sent) <= BUDGET


if __name__ == "__main__":
    main()
