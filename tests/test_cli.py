"""The command line: what goes in, what comes out, and what is said when something is wrong."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import click
import pytest

import thresher
from thresher import cli
from thresher.cache import StoredScores
from thresher.cli.configured import build, params_of, replaced
from thresher.cli.files import dumps, parse_lines

TEXT = (
    "The committee met on 3 May 2024. After a long and rather tiring discussion, it decided that "
    "the annual fee will not rise: it stays at $45. Members who have not paid by 30 June will be "
    "removed from the list. Sandwiches were served, and everybody agreed that they were good.\n"
)
OTHER = "Weather notes. It rained on Monday, and on Tuesday the sun shone for most of the day.\n"

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.md"
    path.write_text(TEXT, encoding="utf-8")
    return path


def feed(monkeypatch: pytest.MonkeyPatch, data: str | bytes) -> None:
    raw = data.encode() if isinstance(data, str) else data
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))


def fails(arguments: list[str], capsys: Capture) -> str:
    """Run what must fail: code 2, nothing on stdout, one line on stderr, which is returned."""
    assert cli.run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("thresher: ")
    return err


# --- compress ---


def test_compress_a_file_to_a_budget(note: Path, capsys: Capture) -> None:
    assert cli.run(["compress", str(note), "--budget", "30"]) == 0
    out, err = capsys.readouterr()
    assert "$45" in out
    words = [w.strip(".,:") for w in TEXT.split()]
    assert {w.strip(".,:") for w in out.split()} <= set(words)
    assert "(budget 30)" in err
    assert err.startswith("thresher: ")


def test_output_is_exactly_the_text(note: Path, capsys: Capture) -> None:
    assert cli.run(["compress", str(note), "--budget", "9999", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out == TEXT
    assert err == ""


def test_compress_a_directory(note: Path, capsys: Capture) -> None:
    (note.parent / "sub").mkdir()
    (note.parent / "sub" / "other.txt").write_text(OTHER, encoding="utf-8")
    (note.parent / ".hidden").write_text("secret", encoding="utf-8")
    (note.parent / "picture.bin").write_bytes(b"\x89PNG\0\0\0")
    assert cli.run(["compress", str(note.parent), "-r", "0.5", "-f", "jsonl", "--quiet"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(r["id"]).name for r in rows] == ["note.md", "other.txt"]


def test_compress_stdin_as_text(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    feed(monkeypatch, TEXT)
    assert cli.run(["compress", "--ratio", "0.4", "--quiet"]) == 0
    assert 0 < len(capsys.readouterr().out) < len(TEXT)


def test_compress_stdin_as_lines(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    rows = [
        {"text": TEXT, "id": "a", "score": 0.9, "metadata": {"page": 3}, "url": "x"},
        {"text": OTHER, "id": 7},
    ]
    feed(monkeypatch, "\ufeff" + "\n\n".join(json.dumps(r) for r in rows))
    assert cli.run(["compress", "-b", "40", "-q", "the fee", "-f", "json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    first, second = result["documents"]
    assert (first["id"], first["score"]) == ("a", 0.9)
    assert first["metadata"] == {"page": 3, "url": "x"}
    assert second["id"] == "7"
    assert result["query"] == "the fee"
    assert result["tokens"] <= 40


def test_a_json_text_on_stdin_is_text(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    feed(monkeypatch, '{"name": "x"}\n')
    assert cli.run(["compress", "-b", "99", "--quiet"]) == 0
    assert capsys.readouterr().out == '{"name": "x"}\n'


def test_format_follows_the_output_name(note: Path, tmp_path: Path, capsys: Capture) -> None:
    for name, start in (("x.json", "{"), ("x.html", "<!DOCTYPE html>"), ("x.jsonl", '{"index"')):
        target = tmp_path / name
        assert cli.run(["compress", str(note), "-b", "30", "-o", str(target)]) == 0
        assert target.read_text(encoding="utf-8").startswith(start)
    assert capsys.readouterr().out == ""


def test_threshold_counter_and_config(note: Path, tmp_path: Path, capsys: Capture) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"min_ratio": 0.2, "strategy": "uniform"}', encoding="utf-8")
    arguments = ["compress", str(note), "--threshold", "0.3", "--config", str(config)]
    arguments += ["--keep", "Sandwiches", "--strategy", "pooled", "--gap", " … ", "--quiet"]
    assert cli.run(arguments) == 0
    out = capsys.readouterr().out
    assert "Sandwiches" in out
    assert " … " in out


def test_line_ends_and_case_survive(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "crlf.txt"
    path.write_bytes(b"One LINE.\r\n\r\n\tTwo\r\n")
    target = tmp_path / "out.txt"
    assert cli.run(["compress", str(path), "-b", "99", "-o", str(target), "--quiet"]) == 0
    assert target.read_bytes() == path.read_bytes()


# --- what goes wrong ---


def test_no_limit(note: Path, capsys: Capture) -> None:
    assert "budget" in fails(["compress", str(note)], capsys)


def test_two_limits(note: Path, capsys: Capture) -> None:
    assert "give one" in fails(["compress", str(note), "-b", "9", "-r", "0.5"], capsys)


def test_missing_file(capsys: Capture) -> None:
    line = fails(["compress", "no/such/file", "-b", "9"], capsys)
    assert "'no/such/file'" in line
    assert "check the path" in line


def test_missing_output_folder(note: Path, capsys: Capture) -> None:
    assert cli.run(["compress", str(note), "-b", "30", "-o", "no/such/x", "--quiet"]) == 2
    assert "no/such/x" in capsys.readouterr().err


def test_file_that_is_not_text(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("Größe".encode("latin1"))
    line = fails(["compress", str(path), "-b", "9"], capsys)
    assert "latin.txt is not UTF-8" in line
    assert "iconv" in line


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{nope", "Expecting property name"),
        ("[1]", "not an object"),
        ('{"id": 1}', "'text' is missing"),
        ('{"text": 3}', "'text' is missing"),
        ('{"text": "a", "metadata": 3}', "'metadata'"),
        ('{"text": "a", "scores": {"format": 1}}', "stored scores"),
    ],
)
def test_bad_line_is_named(bad: str, why: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "hits.jsonl"
    path.write_text('{"text": "fine"}\n\n' + bad + "\n", encoding="utf-8")
    line = fails(["compress", str(path), "-b", "9"], capsys)
    assert "hits.jsonl, line 3: " in line
    assert why in line


def test_bad_score(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "hits.jsonl"
    path.write_text('{"text": "fine", "score": "high"}\n', encoding="utf-8")
    assert "score" in fails(["compress", str(path), "-b", "9"], capsys)


@pytest.mark.parametrize("data", ["", "  \n"])
def test_empty_stdin(data: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    feed(monkeypatch, data)
    assert "no document in stdin" in fails(["compress", "-b", "9"], capsys)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["compress", "--budget", "many"], "'many' is not a valid integer"),
        (["compress", "--nope"], "No such option '--nope'"),
        (["nope"], "No such command 'nope'"),
        (["compress", "--strategy", "best"], "'pooled', 'uniform', 'weighted'"),
        (["compress", "--model", "no/such/folder/here", "-b", "9"], "no/such/folder/here"),
    ],
)
def test_bad_arguments(
    arguments: list[str], why: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    feed(monkeypatch, TEXT)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert why in fails(arguments, capsys)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds a JSON list"),
        ('{"nope": 1}', "nope"),
        ('{"strategy": "best"}', "pooled, uniform, weighted"),
    ],
)
def test_bad_config(content: str, why: str, note: Path, tmp_path: Path, capsys: Capture) -> None:
    config = tmp_path / "config.json"
    config.write_text(content, encoding="utf-8")
    assert why in fails(["compress", str(note), "-b", "9", "--config", str(config)], capsys)


def test_faults_of_our_own_are_not_hidden(note: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thresher.cli.options.build_compressor", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.run(["compress", str(note), "-b", "9"])


def test_interrupt(note: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thresher.cli.options.build_compressor", stop)
    assert cli.run(["compress", str(note), "-b", "9"]) == 130
    assert capsys.readouterr().err.strip() == ""


# --- explain and score ---


def test_explain_as_a_table(note: Path, capsys: Capture) -> None:
    assert cli.run(["explain", str(note), "--quiet"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split("\t") == ["document", "start", "end", "score", "word"]
    for row in rows:
        _, start, end, score, word = row.split("\t")
        assert TEXT[int(start) : int(end)] == word
        assert 0 <= float(score) <= 1
    words = " ".join(r.split("\t")[4] for r in rows)
    assert "".join(words.split()) == "".join(TEXT.split())


def test_explain_in_color(note: Path, tmp_path: Path) -> None:
    target = tmp_path / "shaded.txt"
    arguments = ["explain", str(note), "--format", "color", "-o", str(target), "--quiet"]
    assert cli.run(arguments) == 0
    text = target.read_text(encoding="utf-8")
    assert "\x1b[" in text
    assert "score" in text


def test_scores_are_stored_and_used(
    note: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = tmp_path / "scored.jsonl"
    assert cli.run(["score", str(note), "-o", str(scored), "--quiet"]) == 0
    row = json.loads(scored.read_text(encoding="utf-8"))
    assert row["text"] == TEXT
    assert StoredScores.from_dict(row["scores"]).fingerprint

    def no_model(*_: object, **__: object) -> None:
        raise AssertionError("the model ran")

    monkeypatch.setattr("thresher.scoring.onnx.OnnxScorer.score", no_model)
    assert cli.run(["compress", str(scored), "-b", "30", "-f", "json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert 0.9 * 30 <= result["tokens"] <= 30
    assert "$45" in result["text"]


# --- the rest ---


def test_version_and_help(capsys: Capture) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"thresher, version {thresher.__version__}"
    assert cli.run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name}" in out for name in cli.COMMANDS)
    assert cli.run(["compress", "--help"]) == 0
    assert "--budget" in capsys.readouterr().out


def test_no_arguments_shows_help(capsys: Capture) -> None:
    assert cli.run([]) == 2
    assert "Usage: thresher" in capsys.readouterr().err


def test_lone_surrogates_can_be_written() -> None:
    (document,) = parse_lines('{"text": "a \\ud800 b"}', "x")
    assert json.loads(dumps({"text": document.text}))["text"] == document.text


def python(*code: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        env={**os.environ, **more},
        timeout=300,
    )


def test_import_is_light() -> None:
    heavy = ("torch", "transformers", "sklearn", "bm25s", "sentence_transformers", "click")
    code = f"import thresher, sys; print([m for m in {heavy!r} if m in sys.modules])"
    assert python("-c", code).stdout.strip() == "[]"


def test_import_costs_little_beside_its_dependencies() -> None:
    parts = "numpy, tokenizers, asyncio, regex, tqdm"
    code = (
        "import sys, time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    ).format
    ours = min(float(python("-c", code("thresher")).stdout) for _ in range(3))
    theirs = min(float(python("-c", code(parts)).stdout) for _ in range(3))
    assert ours < 3 * theirs


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_broken_pipe_is_quiet(note: Path) -> None:
    note.write_text(TEXT * 2000, encoding="utf-8")
    command = f"{sys.executable} -m thresher compress {note} -b 999999 --quiet | head -c 10"
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout == TEXT[:10]
    assert done.stderr == ""


# --- commands of the extra ``train``: options made from dataclasses ---


@dataclass(frozen=True)
class Inner:
    """Inner settings.

    Attributes:
        rate: How fast,
            in steps.
    """

    rate: float = 0.5


@dataclass(frozen=True)
class Settings:
    """Outer settings.

    Attributes:
        files: What to read.
        source, target: Where from and where to.
        names: Of things.
        inner: The rest.
    """

    files: tuple[Path, ...]
    source: Path
    target: Path | None = None
    names: tuple[str, ...] = ("a",)
    fast: bool = True
    kind: Literal["x", "y"] = "x"
    hook: Callable[[], None] | None = None
    progress: bool = False
    inner: Inner = field(default_factory=Inner)


def test_options_are_the_fields_of_a_dataclass() -> None:
    options = {o.name: o for o in params_of(Settings)}
    assert list(options) == [
        "files",
        "source",
        "target",
        "names",
        "fast",
        "kind",
        "progress",
        "rate",
    ]
    assert options["source"].required
    assert isinstance(options["source"], click.Option)
    assert options["source"].help == "Where from and where to."
    assert isinstance(options["rate"], click.Option)
    assert options["rate"].help == "How fast, in steps."
    command = click.Command("x", params=list(options.values()))
    context = command.make_context(
        "x", ["f", "g", "--source", "s", "--no-fast", "--kind", "y", "--rate", "2"]
    )
    assert build(Settings, {**context.params, "progress": False}) == Settings(
        (Path("f"), Path("g")), Path("s"), fast=False, kind="y", inner=Inner(2.0)
    )


def test_given_options_override_a_recipe() -> None:
    settings = Settings((Path("f"),), Path("s"), inner=Inner(7.0))
    assert replaced(settings, {"rate": 1.0, "fast": False}) == Settings(
        (Path("f"),), Path("s"), fast=False, inner=Inner(1.0)
    )


def questions(folder: Path) -> Path:
    """Two questions over three passages each."""
    passages = [
        {
            "title": "Rhine",
            "text": "The Rhine is 1233 km long and flows to Rotterdam.",
            "is_gold": True,
        },
        {"title": "Elbe", "text": "The Elbe is a river too, and it is not longer than others."},
        "Nobody knows how many fish live in the pond behind the house of the old miller.",
    ]
    rows = [
        {"question": "How long is the Rhine?", "answers": ["1233 km"], "passages": passages},
        {"question": "Where does it flow?", "answer": "Rotterdam", "passages": passages},
    ]
    path = folder / "rivers.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def test_evaluate_counts_the_answers_that_survive(tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("bm25s", reason="needs the extra 'lexical'")
    page = tmp_path / "page.md"
    command = [
        "evaluate",
        "--data",
        str(questions(tmp_path)),
        "--ratio",
        "0.5",
        "--page",
        str(page),
    ]
    assert cli.run([*command, "--method", "thresher", "--method", "truncate"]) == 0
    out = capsys.readouterr().out
    assert "2 questions from rivers" in out
    assert "Thresher with query" in out
    assert "50%" in out
    assert "Truncation" in page.read_text(encoding="utf-8")


def test_evaluate_lets_a_chat_model_answer(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Chat:
        def invoke(self, messages: list[tuple[str, str]]) -> SimpleNamespace:
            text = messages[-1][1].split("Question:")[0]
            found = [w for w in ("Rotterdam", "1854") if w in text]
            return SimpleNamespace(content=(found or ["unknown"])[0])

    monkeypatch.setitem(sys.modules, "toy.readers", SimpleNamespace(chat=Chat()))
    page = tmp_path / "page.md"
    command = ["evaluate", "--data", str(questions(tmp_path)), "--ratio", "0.5"]
    command += ["--method", "thresher", "--method", "truncate", "--page", str(page)]
    assert cli.run([*command, "--reader", "toy.readers:chat"]) == 0
    out = capsys.readouterr().out
    assert "answers of toy.readers:chat at 50%; n = 2" in out
    assert "Uncompressed" in out
    assert "Reader: toy.readers:chat" in page.read_text(encoding="utf-8")
    assert "provider:model" in fails([*command, "--reader", "nothing"], capsys)


def test_bench_ends_with_one_line_of_json(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.txt"
    path.write_text("The committee decided that it will not raise the annual fee. " * 8)
    assert cli.run(["bench", str(path), "--repeat", "2", "--query", "what fee"]) == 0
    out = capsys.readouterr().out
    facts = json.loads(out.splitlines()[-1])
    assert facts["tokens"] <= facts["tokens_before"] * 0.5
    assert facts["tokens_per_second"] > 0
    assert sum(facts["stages"].values()) <= facts["seconds"] * 1.5
    assert "score" in facts["stages"]


def test_evaluate_wants_one_kind_of_data(tmp_path: Path, capsys: Capture) -> None:
    assert "give either --data" in fails(["evaluate"], capsys)
    path = questions(tmp_path)
    assert "give either" in fails(
        ["evaluate", "--data", str(path), "--passages", str(path)], capsys
    )
    path.write_text("[]\n", encoding="utf-8")
    assert "rivers.jsonl" in fails(["evaluate", "--data", str(path)], capsys)


@pytest.mark.parametrize("name", ["distill", "label", "train", "export"])
def test_training_commands_describe_themselves(name: str, capsys: Capture) -> None:
    pytest.importorskip("torch", reason="needs the extra 'train'")
    pytest.importorskip("transformers", reason="needs the extra 'train'")
    assert cli.run([name, "--help"]) == 0
    assert f"Usage: thresher {name}" in capsys.readouterr().out


def test_training_commands_name_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'thresher[train]'" in fails(["export"], capsys)
