"""Structure of lines: headings, lists, quotes, tables, code, JSON, logs, dialogue."""

from __future__ import annotations

import numpy as np
import pytest

from segment_helpers import kind_of, needs, sentences, support_of, units
from thresher.segment import segment
from thresher.types import Kind


def test_heading_needs_its_mark() -> None:
    assert needs("## Big title\n\ntext") == {"Big": {"##"}, "title": {"##"}}
    assert support_of("## Big title\n\ntext") == ["##"]
    assert needs("Title\n=====\n\ntext") == {"Title": {"====="}}
    assert needs("#hashtag only") == {}


@pytest.mark.parametrize(
    "mark", ["-", "*", "+", "•", "1.", "12)", "a)", "(b)", "iv.", "- [ ]", "* [x]", "1.2."]
)
def test_list_item_needs_its_marker(mark: str) -> None:
    text = f"{mark} first words\n  and more\n\nplain"
    assert needs(text) == {w: {mark} for w in ("first", "words", "and", "more")}
    assert kind_of(text, mark) == Kind.MARKER


def test_not_list_items() -> None:
    assert support_of("born in\n1987. He was") == []
    assert support_of("J. K. Rowling wrote") == []
    assert support_of("a wrapped line\n— with a dash") == []
    assert support_of("-5 degrees") == []


def test_quotes() -> None:
    assert needs("> one\n> two") == {"one": {">"}, "two": {">"}}
    assert sentences("> one\n> two") == ["> one\n> two"]
    assert needs("> - item") == {"item": {"> -"}}


def test_markdown_table() -> None:
    text = "before\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | 4 |\n\nafter"
    head, rule = "| a | b |", "|---|:-:|"
    assert needs(text) == {head: {rule}, "| 1 | 2 |": {head}, "| 3 | 4 |": {head}}
    assert support_of(text) == [head, rule]
    assert kind_of(text, "| 1 | 2 |") == Kind.LINE
    assert units("a | b\n--|--\n1 | 2") == ["a | b", "--|--", "1 | 2"]


def test_rows_without_a_rule() -> None:
    text = "Item | 2019 | 2018\nSales | 5 | 4\nCosts | 3 |  "
    assert needs(text) == {
        "Sales | 5 | 4": {"Item | 2019 | 2018"},
        "Costs | 3 |": {"Item | 2019 | 2018"},
    }
    assert units("a\tb\tc\n1\t2\t3\n") == ["a\tb\tc", "1\t2\t3"]
    assert len(units("either a | or b\nnothing here")) > 2


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_code_fence(fence: str) -> None:
    text = f"Text:\n{fence}py\nx = 1  # one\n\n  y = 2\n{fence}\nafter words"
    both = {f"{fence}py", fence}
    assert needs(text) == {"x = 1  # one": both, "y = 2": both}
    assert support_of(text) == [f"{fence}py", fence]
    assert kind_of(text, "y = 2") == Kind.LINE
    assert kind_of(text, fence) == Kind.FENCE
    assert units(text)[-2:] == ["after", "words"]


def test_code_fence_without_its_other_end() -> None:
    assert needs("```js\na b c\nd e f") == {"a b c": {"```js"}, "d e f": {"```js"}}
    cut = "tail of code\n```\ntext here\n```py\nx\n```"
    assert needs(cut)["tail of code"] == {"```"}
    assert {"text", "here"} <= set(units(cut))


def test_code_without_fences() -> None:
    source = "import os\n\ndef f(x):\n    # a comment\n    return os.path.join(x, 1)\n\nf(2)\n"
    seg = segment(source)
    assert (seg.kind == Kind.LINE).all()
    assert units("Like so::\n\n    some block of text\n\nDone.")[3] == "some block of text"
    assert units("Try it:\n\n    x = f(1)\n\nDone.")[3] == "x = f(1)"
    assert units(">>> print(1)\n1\n\nok then") == [">>> print(1)", "1", "ok", "then"]
    assert "some" in units("Text.\n\n    some indented prose that is not code\n")


def test_pretty_json() -> None:
    text = '{\n  "a": 1,\n  "b": {\n    "c": [1, 2],\n    "d": null\n  },\n  "e": []\n}'
    assert units(text) == [line.strip() for line in text.split("\n")]
    found = needs(text)
    assert found['"a": 1,'] == {"{", "}"}
    assert found['"c": [1, 2],'] == {'"b": {', "},"}
    assert found['"b": {'] == {"{", "}"}
    assert support_of(text) == ["{", '"b": {', "},", "}"]


def test_json_lines_and_long_json() -> None:
    text = '{"a": 1, "b": "x y"}\n{"a": 2, "b": "z"}'
    assert units(text) == text.split("\n")
    items = ", ".join(f'{{"name": "item {i}", "v": "{"x" * 60}"}}' for i in range(4))
    long = f'{{"a": 1, "list": [{items}], "z": "end"}}'
    pieces = units(long)
    assert pieces[:3] == ["{", '"a": 1,', '"list": [']
    assert pieces[-3:] == ["],", '"z": "end"', "}"]
    assert len(pieces) == 10
    assert needs(long)[pieces[3]] == {'"list": [', "],"}


def test_long_string_in_json_keeps_its_quotes() -> None:
    text = '{"text": "' + "some words " * 120 + '", "id": 7}'
    assert needs(text)["words"] == {'"text": "', '",'}
    assert kind_of(text, "some") == Kind.WORD


def test_not_json() -> None:
    assert units("[citation needed] he said") == ["[", "citation", "needed", "]", "he", "said"]
    assert segment("2019\n2020\n2021").kind.tolist() == [Kind.NUMBER] * 3


@pytest.mark.parametrize(
    "prefix",
    [
        "2024-03-12 10:00:00,123 INFO", "2024-03-12T10:00:00Z ERROR", "[2024-03-12 10:00:00]",
        "[ERROR]",
        "WARNING:", "Mar 12 10:00:00", "10:00:00.123 DEBUG",
        "127.0.0.1 - - [10/Oct/2000:13:55:36 -0700]",
    ],
)  # fmt: skip
def test_log_lines(prefix: str) -> None:
    text = f"{prefix} server started\n{prefix} all good"
    assert needs(text) == {w: {prefix} for w in ("server", "started", "all", "good")}
    assert sentences(text) == text.split("\n")


@pytest.mark.parametrize("label", ["User:", "[00:12] Bob:", "Speaker 2:", "Q:", "**Human:**"])
def test_dialogue(label: str) -> None:
    text = f"{label} hello there"
    assert needs(text) == {"hello": {label}, "there": {label}}
    assert support_of(text) == [label]


def test_speakers_by_repetition() -> None:
    assert support_of("Ann Lee: hi\nBob: yes\nAnn Lee: so") == ["Ann Lee:", "Bob:", "Ann Lee:"]
    assert support_of("Note: this is one line of prose.") == []


def test_long_lines_fall_back_to_words() -> None:
    text = "```\n" + "var a=1; " * 200 + "\n```"
    seg = segment(text)
    assert len(seg) > 200
    words = set(range(1, len(seg) - 1)) - set(np.flatnonzero(seg.kind == Kind.PUNCT).tolist())
    assert {(u, 0) for u in words} <= set(map(tuple, seg.requires.tolist()))


def test_a_header_of_several_rows_is_needed_whole() -> None:
    text = (
        " |  | Year Ended December 31, | \n | 2019 | 2018\n | £m | £m\n"
        "Depreciation | 2.5 | 2.3\nTotal | 9.0 | 7.8"
    )
    assert needs(text)["Total | 9.0 | 7.8"] == {"| £m | £m"}
    assert needs(text)["| £m | £m"] == {"| 2019 | 2018"}
    assert needs(text)["| 2019 | 2018"] == {"|  | Year Ended December 31, |"}
    assert support_of(text) == ["|  | Year Ended December 31, |", "| 2019 | 2018", "| £m | £m"]


def test_the_label_row_ends_a_header() -> None:
    text = " | Year ended | Year ended\nType | May 31, 2019 | May 31, 2018\nCash | 2 | 3\nA | 4 | 5"
    assert support_of(text) == ["| Year ended | Year ended", "Type | May 31, 2019 | May 31, 2018"]


def test_years_are_data_where_the_header_has_a_label() -> None:
    text = "Company | Founded | By\nAcme | 1999 | Joe\nBolt | 2001 | Ann"
    assert support_of(text) == ["Company | Founded | By"]
    assert needs(text)["Bolt | 2001 | Ann"] == {"Company | Founded | By"}


def test_rows_with_one_bar_make_a_table_when_there_are_three() -> None:
    three = "Item | Price\nTea | 3\nMilk | 2"
    assert units(three) == ["Item | Price", "Tea | 3", "Milk | 2"]
    assert len(units("Item | Price\nTea | 3")) > 2
