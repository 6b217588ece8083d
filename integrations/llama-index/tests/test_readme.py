"""Every snippet of the README runs, in order, as one program."""

from __future__ import annotations

import re
from pathlib import Path

from llama_index.core import Settings
from llama_index.core.instrumentation import get_dispatcher

from conftest import PASSAGES, QUESTION

README = Path(__file__).parents[1] / "README.md"


def test_snippets(tmp_path, monkeypatch, capsys):
    (tmp_path / "docs").mkdir()
    for title, text in PASSAGES.items():
        (tmp_path / "docs" / f"{title}.txt").write_text(text * 3, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Settings, "_transformations", None)
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) >= 8
    handlers = get_dispatcher().event_handlers
    before = list(handlers)
    names: dict = {"__name__": "readme"}
    try:
        for snippet in snippets:
            exec(compile(snippet, str(README), "exec"), names)
        names["engine"].query(QUESTION)
    finally:
        handlers[:] = before
    assert "-> " in capsys.readouterr().out
    assert str(names["response"])
    assert names["nodes"]
