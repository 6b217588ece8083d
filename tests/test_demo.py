"""The demonstration finds real documentation and answers from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from thresher import InputError
from thresher.cli import run
from thresher.demo import QUERY, Library, prompt, unwrap

pytest.importorskip("bm25s", reason="needs the extra 'lexical'")

SOME = Library(("subprocess", "json", "csv", "threading", "no_such_module_at_all"))


def test_documents_are_docstrings_with_names() -> None:
    by_id = {d.id: d for d in SOME.documents}
    assert "timeout" in by_id["subprocess.run"].text
    assert by_id["subprocess.run"].prefix == "[subprocess.run]\n"
    assert len({d.text for d in SOME.documents}) == len(SOME.documents)


def test_search_ranks_the_answer_first() -> None:
    hits = SOME.search(QUERY, 5)
    assert hits[0].id == "subprocess.run"
    scores = [h.score for h in hits if h.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert len(hits) == len(scores) <= 5


def test_search_without_a_hit_says_so() -> None:
    with pytest.raises(InputError, match="no docstring"):
        SOME.search("zzyzx qwertzuiop")


def test_no_docstrings_says_so() -> None:
    with pytest.raises(InputError, match="-OO"):
        _ = Library(("no_such_module_at_all",)).documents


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A line that is long enough to have been wrapped by hand\nand its end.", 1),
        ("Short.\nNext.", 2),
        ("A line that is long enough to have been wrapped by hand\n- an item", 2),
        ("A line that is long enough to have been wrapped by hand\n    indented", 2),
        ("A line that is long enough to have been wrapped by hand\n1. an item", 2),
        ("A line that is long enough to have been wrapped by hand\n\nA paragraph.", 3),
    ],
)
def test_unwrap(text: str, expected: int) -> None:
    assert unwrap(text).count("\n") + 1 == expected
    assert unwrap(text).split() == text.split()


def test_demo_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "demo.html"
    assert run(["demo", "--budget", "300", "--output", str(page)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "subprocess.run" in out
    assert f"Question: {QUERY}" in out
    assert " of a budget of 300" in out
    assert "<article>" in page.read_text(encoding="utf-8")


def test_demo_command_with_another_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "What is the difference between a shallow and a deep copy?"
    assert run(["demo", "-q", question, "-b", "250", "-o", str(tmp_path / "x.html")]) == 0
    assert "copy" in capsys.readouterr().out


def test_prompt_ends_with_the_question() -> None:
    from thresher import Compression

    text = prompt(Compression("kept words", (), 2, 9, 5, query="Why?"))
    assert text.endswith("kept words\n\nQuestion: Why?\nAnswer:")
