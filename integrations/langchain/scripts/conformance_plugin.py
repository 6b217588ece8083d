"""Pytest plugin: every agent that ``create_agent`` makes gets a ThresherMiddleware, last."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

import langchain.agents
from langchain.agents import factory

from langchain_thresher import ThresherMiddleware

_original = factory.create_agent
CALLS = {"agents": 0}


@functools.wraps(_original)
def create_agent(*args: Any, **kwargs: Any) -> Any:
    """The original, with the middleware appended."""
    CALLS["agents"] += 1
    budget = int(os.environ.get("THRESHER_MAX_TOKENS", "1000"))
    added = ThresherMiddleware(max_tokens=budget)
    kwargs["middleware"] = [*kwargs.get("middleware", ()), added]
    return _original(*args, **kwargs)


factory.create_agent = create_agent
langchain.agents.create_agent = create_agent


def pytest_collection_finish() -> None:
    """Test modules that took the original by ``from ... import`` get the other as well."""
    for module in list(sys.modules.values()):
        if (
            getattr(module, "create_agent", None) is _original
            and module is not sys.modules[__name__]
        ):
            module.create_agent = create_agent  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many agents had it."""
    terminalreporter.write_line(f"ThresherMiddleware was in {CALLS['agents']} agents")
