"""Negations of many languages, and which words each of them negates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from thresher.segment import unit_texts
from thresher.types import Int32, Kind, Segmentation

REACH = 10  # words of a negation's scope on one side
_ATOM, _PUNCT = int(Kind.ATOM), int(Kind.PUNCT)


class _Language(NamedTuple):
    """Negations of one language.

    Attributes:
        reach: words after, words before, that a negation takes in.
        forms: whole words, lower case.
        gate: common words of which one must occur, where the forms mean something else elsewhere.
    """

    reach: tuple[int, int]
    forms: str
    gate: str = ""


_LANGUAGES = (
    _Language(
        (REACH, 0),
        "not no never none nobody nothing nowhere neither nor without except unless hardly "
        "scarcely barely cannot dont doesnt didnt wont cant",
    ),
    _Language(
        (REACH, 6), "nicht kein keine keinen keinem keiner keines nichts nie niemals niemand"
    ),
    _Language((REACH, 0), "ohne weder außer"),
    _Language(
        (REACH, 6), "niet geen nooit niets niemand ikke inte aldrig ingen inget inga utan uden"
    ),
    _Language(
        (REACH, 4),
        "ne pas jamais rien sans aucun aucune ni personne nulle",
        "le les des est une et dans du qui vous nous il elle je",
    ),
    _Language(
        (REACH, 1),
        "sin nunca nada ningún ninguna ninguno nadie tampoco ni jamás",
        "el los las que una del por se es",
    ),
    _Language(
        (REACH, 1),
        "non mai senza né nessun nessuno nessuna niente nulla",
        "il che di della del gli per è sono una",
    ),
    _Language(
        (REACH, 1), "não sem nunca nem nada nenhum nenhuma ninguém", "os uma do da que em é um"
    ),
    _Language((REACH, 1), "не нет ни без никогда ничего никто нельзя ні немає нельзя"),
    _Language(
        (REACH, 1), "nie bez nigdy nic nikt żaden żadna není nelze nikdy", "i w z na jest se je do"
    ),
    _Language((REACH, 1), "nu fără niciodată", "este și în de la că"),
    _Language((REACH, 1), "nem sem nincs soha nélkül", "a az és hogy egy"),
    _Language((REACH, 2), "ei eivät emme älä ilman"),
    _Language((0, REACH), "değil yok hayır", "ve bir bu için"),
    _Language((REACH, 1), "δεν μη μην χωρίς ποτέ όχι"),
    _Language((REACH, 1), "لا ليس ليست لم لن غير بدون ولا وليس ولم ולן לא אין בלי אינו אינה"),
    _Language((4, 4), "नहीं नही ना मत बिना نہیں না নেই"),
    _Language((REACH, 0), "không chưa chẳng tidak bukan tanpa belum jangan tak ไม่"),
    _Language((8, 0), "不 没 沒 無 无 非 未 勿 別 别"),
    _Language(
        (0, 8),
        "ない なく なかった なければ ません ませんでした していません ていません しない せず",
    ),
)
_PREFIXES = (("않", (0, 3)), ("없", (1, 3)), ("못", (2, 1)), ("아니", (0, 3)), ("아닌", (0, 3)))
_WHOLE = {"안": (2, 0), "못": (2, 0)}
_NOT_HERE = frozenset("非常 未来 未來 别人 別人 無料 别的 非洲".split())  # noqa: SIM905
_OBJECTS = frozenset("none nobody nothing nowhere never".split())  # noqa: SIM905
_CONJUNCTIONS = frozenset("unless except without nor ohne sans".split())  # noqa: SIM905
_AUXILIARY_TEXT = """am is are was were be been being do does did has have had will would can could
shall should may might must need ought dare seems seem appears appear 'm 're 's"""
_AUXILIARIES = frozenset(_AUXILIARY_TEXT.split())
_CLAUSE_TEXT = """but although though because whereas while however since yet aber obwohl weil
sondern denn mais car parce pero porque sino aunque ma perché mas но потому хотя maar omdat"""
_CLAUSES = frozenset(_CLAUSE_TEXT.split())
_MARKS = frozenset(",;:—–()[]{}，；：、،؛")
_COMMAS = frozenset(",，、،")


def _tables() -> tuple[dict[str, tuple[int, int]], list[tuple[frozenset[str], _Language]]]:
    plain: dict[str, tuple[int, int]] = dict(_WHOLE)
    gated: list[tuple[frozenset[str], _Language]] = []
    for language in _LANGUAGES:
        if language.gate:
            gated.append((frozenset(language.gate.split()), language))
        else:
            plain.update(dict.fromkeys(language.forms.split(), language.reach))
    return plain, gated


_PLAIN, _GATED = _tables()


def negation_edges(text: str, segmentation: Segmentation) -> Int32:
    """Which words stand in the scope of which negation.

    The scope is the rest of the clause, at most ``REACH`` words, or what comes before where the
    language puts the negation last; a remark between commas right after the negation is part of
    it, and so is a list that ends in "or". Scopes never leave the sentence. Later negations may
    need earlier ones, never the other way round, so that no cycle can arise.

    Args:
        text: the document.
        segmentation: its units.

    Returns:
        Rows ``(unit, negation)``. Shape: (E, 2)
    """
    words = [piece.lower() for piece in unit_texts(text, segmentation)]
    found = _find(words, segmentation)
    if not found:
        return np.zeros((0, 2), np.int32)
    clauses = _Clauses(words, segmentation)
    size = len(words)
    edges: list[int] = []
    for unit, (after, before) in found.items():
        reach = [*clauses.forward(unit, after), *clauses.backward(unit, before)]
        reach += clauses.auxiliary(unit)
        edges += [x * size + unit for x in reach if x > unit or x not in found]
    rows = np.unique(np.asarray(edges, np.int64))
    return np.stack(np.divmod(rows, size), 1).astype(np.int32)


def _find(words: Sequence[str], segmentation: Segmentation) -> dict[int, tuple[int, int]]:
    """Negations by unit, with the words that they take in after and before."""
    forms = _PLAIN
    known = set(words)
    for gate, language in _GATED:
        if not known.isdisjoint(gate) and not known.isdisjoint(language.forms.split()):
            forms = {**dict.fromkeys(language.forms.split(), language.reach), **forms}
    kind = segmentation.kind
    found: dict[int, tuple[int, int]] = {}
    french = not known.isdisjoint(_GATED[0][0])
    for unit, word in enumerate(words):
        reach = forms.get(word)
        if reach is None:
            if word[-2:] in ("'t", "’t") and word[-3:-2] == "n":
                reach = (REACH, 0)
            elif word[:1] in "않없못아":
                reach = next((r for p, r in _PREFIXES if word.startswith(p)), None)
            elif french and word[:2] in ("n'", "n’"):
                reach = (REACH, 1)
        if reach is None or kind[unit] > _ATOM or _is_other(words, segmentation, unit):
            continue
        found[unit] = reach
    return found


def _is_other(words: Sequence[str], segmentation: Segmentation, unit: int) -> bool:
    """Whether this is the "No." of "No. 5", or a Chinese word that only contains the character."""
    follow = words[unit + 1 : unit + 3]
    if words[unit] == "no" and len(follow) == 2 and follow[0] == ".":
        return follow[1][:1].isdigit()
    return bool(follow) and words[unit] + follow[0] in _NOT_HERE


class _Clauses:
    """Walks from a negation over the words of its clause."""

    def __init__(self, words: Sequence[str], segmentation: Segmentation) -> None:
        self.words = words
        self.sentence = segmentation.sentence.tolist()
        self.kind = segmentation.kind.tolist()

    def forward(self, unit: int, reach: int) -> Iterator[int]:
        """Words after a negation that it may negate."""
        remark = False  # within commas that open right after the negation
        taken = 0
        for at in range(unit + 1, min(len(self.words), unit + 3 * reach + 1)):
            if self.sentence[at] != self.sentence[unit] or taken == reach:
                return
            word = self.words[at]
            if self.kind[at] == _PUNCT:
                if _MARKS.isdisjoint(word):
                    continue
                if remark:
                    remark = False
                elif at == unit + 1 and not _COMMAS.isdisjoint(word):
                    remark = True
                elif taken and not self._list_goes_on(at):
                    return
            elif self.kind[at] <= _ATOM:
                if word in _CLAUSES and taken:
                    return
                taken += not remark
                yield at

    def _list_goes_on(self, comma: int) -> bool:
        """Whether a comma stands in a list of short items that ends in "or"."""
        if _COMMAS.isdisjoint(self.words[comma]):
            return False
        length = 0
        for at in range(comma + 1, min(len(self.words), comma + 25)):
            word = self.words[at]
            if self.sentence[at] != self.sentence[comma] or length > 3:
                return False
            if word in ("or", "nor", "oder", "ou", "o", "или"):
                return True
            length = 0 if self.kind[at] == _PUNCT else length + 1
        return False

    def backward(self, unit: int, reach: int) -> Iterator[int]:
        """Words before a negation that it may negate, nearest first."""
        for at in range(unit - 1, max(unit - 1 - 2 * reach, -1), -1):
            if reach == 0 or self.sentence[at] != self.sentence[unit]:
                return
            word = self.words[at]
            if self.kind[at] == _PUNCT:
                if not _MARKS.isdisjoint(word):
                    return
            elif self.kind[at] <= _ATOM:
                if word in _CLAUSES:
                    return
                reach -= 1
                yield at

    def auxiliary(self, unit: int) -> list[int]:
        """The verb that stands just before: "does not", "is certainly not", "found nothing"."""
        if self.words[unit] in _CONJUNCTIONS:
            return []
        near = list(self.backward(unit, 2))
        out = [x for x in near if self.words[x] in _AUXILIARIES]
        if self.words[unit] in _OBJECTS and near:
            out.append(near[0])
        return out
