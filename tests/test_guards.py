"""Forced units and negations."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import HashScorer, wordpiece
from segment_helpers import acyclic
from thresher import Compressor
from thresher.config import CompressConfig
from thresher.errors import InputError
from thresher.guards import guard
from thresher.negations import negation_edges
from thresher.segment import segment, unit_texts
from thresher.types import Kind


def forced(text: str, **settings_: object) -> list[str]:
    seg = segment(text)
    guards = guard(text, seg, CompressConfig(**settings_))  # type: ignore[arg-type]
    assert guards.force.shape == (len(seg),)
    return [u for u, f in zip(unit_texts(text, seg), guards.force, strict=True) if f]


def negated(text: str) -> dict[str, set[str]]:
    seg = segment(text)
    names = unit_texts(text, seg)
    out: dict[str, set[str]] = {}
    for unit, needed in guard(text, seg, CompressConfig()).requires.tolist():
        if seg.kind[needed] <= Kind.ATOM:
            out.setdefault(names[needed], set()).add(names[unit])
    return out


def test_nothing_to_guard() -> None:
    seg = segment("Plain words here.")
    guards = guard("Plain words here.", seg, CompressConfig())
    assert not guards.force.any()
    assert guards.requires.shape == (0, 2)
    empty = guard("", segment(""), CompressConfig(keep_digits=True))
    assert empty.force.shape == (0,)


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("The Model and models", "model", ["Model"]),
        ("New\n York and york", "new york", ["New", "York"]),
        ("in C++ or C", "c++", ["C++"]),
        ("use .NET now", ".net", [".NET"]),
        ("我在东京。", "东京", ["东", "京"]),
        ("straße STRASSE", "Straße", ["straße"]),
        ("the 3.5 kg load", "kg", ["3.5 kg"]),
        ("nothing", "thing", []),
        ("What? Yes", "?", ["What", "?"]),
        ("any", "  ", []),
    ],
)
def test_force_keep(text: str, word: str, expected: list[str]) -> None:
    assert forced(text, force_keep=(word,)) == expected


def test_force_patterns_touch_whole_units() -> None:
    text = "Order ABC-12345 shipped on May 5, 2024 to Bob."
    assert forced(text, force_patterns=(r"[A-Z]{3}-\d+",)) == ["ABC-12345"]
    assert forced(text, force_patterns=(r"y 5",)) == ["May 5, 2024"]
    assert forced(text, force_patterns=(r"\bto\b.*",)) == ["to", "Bob", "."]
    assert forced(text, force_patterns=(r"x*",)) == []


def test_keep_digits() -> None:
    assert forced("In 2024, v2 rose ٣ times by x", keep_digits=True) == ["2024", "v2", "٣"]


def test_force_callable() -> None:
    assert forced("An Apple a Day.", force=str.istitle) == ["An", "Apple", "Day"]
    assert forced("a b c", force=lambda u: 1 if u == "b" else 0) == ["b"]
    assert forced("end.", force=lambda u: u == ".") == ["end", "."]


def test_force_callable_that_fails() -> None:
    def broken(unit: str) -> bool:
        raise KeyError(unit)

    with pytest.raises(InputError, match=r"KeyError on the unit 'word'"):
        guard("word", segment("word"), CompressConfig(force=broken))


NEGATIONS = [
    ("He does not eat meat.", "not", {"does", "eat", "meat"}),
    ("It is certainly not true.", "not", {"is", "true"}),
    ("I don't know them.", "don't", {"know", "them"}),
    ("They couldn’t leave, so they stayed.", "couldn’t", {"leave"}),
    ("You cannot win, but you can draw.", "cannot", {"win"}),
    ("He does not smoke because he is ill.", "not", {"does", "smoke"}),
    ("The valve must not, under any circumstances, open.", "not",
     {"must", "under", "any", "circumstances", "open"}),
    ("No fever, chills, or cough.", "No", {"fever", "chills", "or", "cough"}),
    ("We never sell data; others do.", "never", {"We", "sell", "data"}),
    ("She found nothing there.", "nothing", {"found", "there"}),
    ("It runs without any help: good.", "without", {"any", "help"}),
    ("Neither Ann nor Bob came.", "Neither", {"Ann", "nor", "Bob", "came"}),
    ("Do this unless it rains.", "unless", {"it", "rains"}),
    ("Er kommt heute nicht.", "nicht", {"Er", "kommt", "heute"}),
    ("Das ist kein Problem.", "kein", {"Das", "ist", "Problem"}),
    ("Ik weet het niet zeker.", "niet", {"Ik", "weet", "het", "zeker"}),
    ("Det er ikke sandt.", "ikke", {"Det", "er", "sandt"}),
    ("El vuelo no sale hoy.", "no", {"sale", "hoy"}),
    ("Se fue sin el perro.", "sin", {"fue", "el", "perro"}),
    ("La casa non è grande per il gatto.", "non", {"casa", "è", "grande", "per", "il", "gatto"}),
    ("Isto não é uma casa.", "não", {"Isto", "é", "uma", "casa"}),
    ("Он не хочет спать.", "не", {"Он", "хочет", "спать"}),
    ("我不喜欢它。", "不", {"喜", "欢", "它"}),
    ("他没有来。", "没", {"有", "来"}),
    ("肉を食べません。", "ません", {"肉", "を", "食", "べ"}),
    ("何も言わない。", "ない", {"何", "も", "言", "わ"}),
    ("고기를 먹지 않았다.", "않았다", {"고기를", "먹지"}),
    ("안 먹는다.", "안", {"먹는다"}),
    ("لا أحب هذا.", "لا", {"أحب", "هذا"}),
    ("वह नहीं जाता है।", "नहीं", {"वह", "जाता", "है"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "negation", "scope"), NEGATIONS)
def test_negation_scope(text: str, negation: str, scope: set[str]) -> None:
    assert negated(text)[negation] == scope


def test_french_negation_has_two_parts() -> None:
    found = negated("Il ne mange pas de pain dans la rue.")
    assert {"mange", "pas", "pain"} <= found["ne"]
    assert {"mange", "pain"} <= found["pas"]
    assert negated("Ce n'est pas une rue, et il le sait.")["n'est"] == {"Ce", "pas", "une", "rue"}


def test_later_negations_need_earlier_ones() -> None:
    found = negated("It is not without cost.")
    assert "without" in found["not"]
    assert "not" not in found["without"]


@pytest.mark.parametrize(
    "text",
    ["See No. 5 now.", "非常好", "未来的人", "the seven deadly sins and one sin", "He knows a lot"],
)
def test_no_negation(text: str) -> None:
    assert negated(text) == {}


def test_scope_stays_in_the_sentence() -> None:
    assert negated("Do not go. Stay here.") == {"not": {"Do", "go"}}


def test_negations_can_be_switched_off() -> None:
    text = "- It is not so"
    seg = segment(text)
    off = guard(text, seg, CompressConfig(negations=False)).requires
    on = guard(text, seg, CompressConfig()).requires
    assert np.array_equal(off, seg.requires)
    assert on.shape[0] > off.shape[0]


def test_lines_have_no_negations() -> None:
    assert negated("```\nif not x: no\n```") == {}


WORDS = ["not", "no", "don't", "never", "nor", "without", "is", "he", "pas", "ne", "le", "nicht",
         ",", ".", ";", "but", "or", "不", "ない", "- ", "# ", "\n", "\n\n", "安", "12", "User:",
         "않", "नहीं"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_always_acyclic_and_within_sentences(text: str) -> None:
    seg = segment(text)
    guards = guard(text, seg, CompressConfig(keep_digits=True))
    rows = guards.requires
    assert rows.dtype == np.int32
    assert (rows[:, 0] != rows[:, 1]).all()
    assert acyclic(rows, len(seg))
    extra = rows[seg.requires.shape[0] :]
    assert (seg.sentence[extra[:, 0]] == seg.sentence[extra[:, 1]]).all()
    assert (seg.kind[extra] <= Kind.ATOM).all()
    again = guard(text, seg, CompressConfig(keep_digits=True))
    assert np.array_equal(again.requires, rows)
    assert np.array_equal(again.force, guards.force)


@pytest.mark.parametrize("text", ["not ", "not, ", "no or ", "he is not here, ", "不"])
def test_linear_time(text: str) -> None:
    def seconds(size: int) -> float:
        long = text * (size // len(text))
        seg = segment(long)
        begin = time.process_time()
        guard(long, seg, CompressConfig())
        return time.process_time() - begin

    assert seconds(32_000) < 40 * max(seconds(4_000), 1e-3)  # 8 when linear, 64 when quadratic


@pytest.mark.parametrize("ratio", [0.1, 0.25, 0.4, 0.6, 0.8])
def test_a_negation_stays_only_with_a_word_that_it_negates(ratio: float) -> None:
    texts = [
        "The committee decided that it will not raise the annual fee, and nobody objected.",
        "They never left the harbour without a pilot. It does not matter. No, thanks.",
    ]
    for salt in range(12):
        scorer = HashScorer(wordpiece(), salt=salt)
        result = Compressor(scorer).compress(texts, ratio=ratio)
        for text, document in zip(texts, result.documents, strict=True):
            parts = segment(text)
            kept = np.zeros(len(parts), bool)
            for span in document.spans:
                kept |= (parts.start >= span.start) & (parts.end <= span.end)
            edges = negation_edges(text, parts)
            for negation in set(edges[:, 1].tolist()):
                negated = edges[edges[:, 1] == negation, 0]
                assert kept[negation] == kept[negated].any(), document.text
