"""Atoms: what must not be split, from numbers with their unit to URLs and inline code."""

from __future__ import annotations

import re

import numpy as np

from thresher.segment.chars import (
    COLON,
    DIGIT,
    DOT,
    G_WORD,
    GROUP,
    JOIN,
    OPEN,
    SLASH,
    Codes,
)
from thresher.types import Bool, Kind

Atom = tuple[int, int, Kind]

# a word character of a script that puts spaces between words
_L = (
    r"[^\W\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff]"
)
_SP = "[ \u00a0\u2009\u202f]"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    r"Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_MONTHS = (
    r"(?:" + _MONTH + r"|(?:Januar|Februar|März|Mai|Juni|Juli|Oktober|Dezember|janvier|février|"
    r"mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre|enero|febrero|marzo|"
    r"abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|gennaio|febbraio|"
    r"aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|março|maio|"
    r"junho|julho|setembro|outubro|novembro|dezembro|januari|februari|maart|mei|augustus|"
    r"января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря)\b)"
)
_CURRENCY = r"(?:(?:US|CA|AU|NZ|HK|[ACR])?[$€£¥₹₽₩₺₴₪₫฿₦]|(?:USD|EUR|GBP|JPY|CNY|RMB|CHF|INR|CAD|AUD|KRW|BTC)\b)"
_SCALE = r"(?:hundred|thousand|million|billion|trillion|mill?n|bn|mn|tn|Mio\.?|Mrd\.?|[kKmMB]\b)"
_MONEY = r"(?:(?:US )?dollars?|euros?|pounds?|yen|yuan|rupees?|cents?|francs?|EUR|USD|GBP|JPY|CNY|CHF|[€$£¥₽₹])"
_UNIT = (
    r"(?:%|‰|°\s?[CFK]?|[kcmµμn]?m[²³23]?|[kmµμn]g|[kMGTP]i?[Bb](?:/s|ps)?|[kMGT]?Hz|[kMGT]?Wh?|"
    r"[kmMG]?[VJN]|mAh?|[kM]?[Pp]a|[mµμn]?[sSL]|[mcd]?l|g|h|K|min|sec|hrs?|kcal|cal|bar|dB|mol|ppm|px|"
    r"lbs?|oz|ft|in\.|mph|km/h|m/s[²2]?|kph|mi|yd|acres?|hectares?|ha|psi|rpm|fps|tonnes?|tons?|"
    r"percent|per\s?cent|percentage\spoints?|degrees?(?:\s(?:Celsius|Fahrenheit))?|"
    r"(?:nano|micro|milli)?seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|centuries|"
    r"(?:kilo|centi|milli)?met(?:er|re)s?|miles?|feet|foot|inch(?:es)?|yards?|(?:kilo|milli)?grams?|"
    r"kilos?|pounds?|ounces?|lit(?:er|re)s?|gallons?|(?:kilo|mega|giga|tera)?(?:bytes?|bits?|watts?)|"
    r"(?:kilo|mega|giga)?hertz|volts?|tokens?|Jahren?|Prozent|ans|années|años|anni|лет|кг|км|см|мм)"
)
_NUM = (
    r"(?:\d{1,3}(?:[\u00a0\u2009\u202f]\d{3}(?!\d))+|\d{1,3}(?: \d{3}){2,5}(?!\d)|"
    r"\d{1,3} 000(?!\d)|\d+)(?:[.,:/'’_×–-]?\d+)*+(?:[eE][-+]?\d+)?"
)
_TAIL = rf"(?:[%‰°²³½¼¾]*{_L}*)(?:[-+.]{_L}+)*+(?:[+%](?!{_L}))?"
_CJK = r"[万萬亿億兆千百]*(?:年代?|月|日|号|號|时|時間?|点|點|分|秒|个|個|人|元|円|圆|圓|块|塊|度|％|%|岁|歳|才|回|次|名|位|台|本|枚|件|章|节|節|页|頁|世纪|世紀|级|級|届|屆|階|倍|歩|米|公里|公斤)"

ATOM = re.compile(
    rf"""
    (?P<url>(?<!{_L})(?:[a-zA-Z][a-zA-Z0-9+.-]{{1,20}}://|www\.(?={_L})|mailto:)[^\s<>"`]+
      |(?<![\w.])10\.\d{{4,9}}/[^\s<>"`]+)
    |(?P<mail>(?<![\w.+-])(?:[A-Za-z0-9_.+-]++)@[\w-]++(?:\.[\w-]+)++)
    |(?P<date>(?<!{_L})(?:
        \d{{4}}-\d\d?-\d\d?(?:[T ]\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|{_SP}?(?:[+-]\d\d:?\d\d|UTC|GMT))?)?(?!\d)
        |\d\d?(?:st|nd|rd|th|er|\.)?{_SP}(?:of{_SP}|de{_SP})?{_MONTHS}(?:,?{_SP}(?:de{_SP})?\d{{4}}(?!\d))?
        |{_MONTH}{_SP}(?:\d\d?(?:st|nd|rd|th)?(?:\s?[–-]\s?\d\d?)?(?:,?{_SP}\d{{4}})?|\d{{4}})(?![\d,.:]*\d)
        |\d\d?(?::\d\d){{1,2}}(?:[.,]\d+)?{_SP}?(?:[AaPp]\.[Mm]\.|[AaPp][Mm]\b)(?:{_SP}(?:UTC|GMT|[ECMP][SD]?T)\b)?
        |\d\d?(?::\d\d){{1,2}}{_SP}(?:UTC|GMT|[ECMP][SD]?T|Uhr)\b
        |\d\d?{_SP}?(?:[AaPp]\.[Mm]\.|[AaPp][Mm]\b)
        |(?:\d+(?:年|月|日|时|時|点|點|分|秒)){{2,}}
      ))
    |(?P<path>(?<![\w.@/\\:-])(?:
        [A-Za-z]:\\[^\s"<>|,;)]*|\\\\[\w.$-]+\\[^\s"<>|,;)]*
        |(?:~|\.{{1,2}})?/(?:[\w.@+%-]++/)*+[\w.@+%-]*
        |(?:[\w.@-]++/){{2,}}+[\w.@-]*|[\w@-]++/[\w-]*\.\w+
        |[A-Z]{{1,4}}/[A-Z]{{1,4}}(?!\w)|[a-z]{{1,2}}/[a-z]{{1,2}}(?!\w)
      ))
    |(?P<number>(?<!{_L})(?<!\d[.,:/])(?:(?<![\w)\]"'])[-+−±]|[~≈<>])?(?:{_CURRENCY}{_SP}?[-−]?)?{_NUM}
        (?:{_CJK}|{_TAIL}(?:(?:{_SP}|-){_SCALE}(?!{_L}))?(?:{_SP}(?:{_MONEY}|{_UNIT})(?![\w'’]))?))
    |(?P<code>(?<![\w.:])(?:
        [A-Za-z_]\w*+(?:::\w+)++(?:\(\))?
        |[A-Za-z_][\w.]*+\([^\s()]{{0,40}}\)
        ))
    |(?P<flag>(?<![^\s(\["'`,=])--?[A-Za-z](?:(?<=--[A-Za-z])[\w-]*)(?:=[^\s,;)]+)?|(?<!\S)-[A-Za-z](?![\w'’-])
        |(?<!\S)\.[A-Za-z]\w*)
    |(?P<abbr>(?<![\w.])(?:[^\W\d_]\.){{2,}}(?!\w)|(?<![\w.])(?:Ph\.D\.|M\.Sc\.|B\.Sc\.|Ed\.D\.))
    """,
    re.VERBOSE,
)
_KINDS = {"date": Kind.NUMBER, "number": Kind.NUMBER, "abbr": Kind.WORD}
_TAG = re.compile(
    r"</?[A-Za-z][\w:-]{0,60}(?:\s[^<>]{0,1000})?/?>|<!--[^<>]{0,1000}-->|<![A-Z]\w+[^<>]{0,200}>"
)
_MATH = re.compile(
    r"\$(?=[A-Za-z\\({])[^\s$](?:[^$\n]{0,80}?[^\s$\\])?\$(?![\w$])|\\\([^\n$]{1,80}?\\\)"
)
_TICKS = re.compile(r"`+|\n")
_CLOSERS = {")": "(", "]": "[", "}": "{"}


def find_atoms(text: str, codes: Codes, free: Bool) -> list[Atom]:
    """Atoms of the prose, in order, not overlapping.

    Args:
        text: the document.
        codes: class of each character (``chars.classify``). Shape: (C,)
        free: False where a line, fence or marker is a unit already. Shape: (C,)

    Returns:
        Rows ``(start, end, kind)``.
    """
    first: list[Atom] = []
    if "`" in text:
        first += inline_code(text)
    if "<" in text and ">" in text:
        first += [(*m.span(), Kind.ATOM) for m in _TAG.finditer(text)]
    if "$" in text or "\\(" in text:
        first += [(*m.span(), Kind.ATOM) for m in _MATH.finditer(text)]
    first = _apart([a for a in first if free[a[0]]])
    second: list[Atom] = []
    for start, end in _regions(codes, free):
        for match in ATOM.finditer(text, start, end):
            second.append(_atom(match))
    if not first:
        return second
    return _merge(first, second)


def _atom(match: re.Match[str]) -> Atom:
    name = match.lastgroup or ""
    start, end = match.span()
    if name == "url":
        end = _trim_url(match.string, start, end)
    elif name == "path":
        text = match.string
        while end > start + 1 and text[end - 1] in ".-":
            end -= 1
    return start, end, _KINDS.get(name, Kind.ATOM)


def _trim_url(text: str, start: int, end: int) -> int:
    """End of a URL without the punctuation of the sentence around it; brackets must balance."""
    body = text[start:end]
    surplus = {c: body.count(c) - body.count(o) for c, o in _CLOSERS.items()}
    while end > start + 1:
        last = text[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in ".,;:!?'\"’”*_»|":
            break
        end -= 1
    return end


def inline_code(text: str) -> list[Atom]:
    """Code spans in backticks: a run of them up to the next run as long, on the same line."""
    runs = [m.span() for m in _TICKS.finditer(text)]
    closer = [-1] * len(runs)
    seen: dict[int, int] = {}
    for at in range(len(runs) - 1, -1, -1):
        start, end = runs[at]
        if text[start] == "\n":
            seen.clear()
        else:
            closer[at] = seen.get(end - start, -1)
            seen[end - start] = at
    out: list[Atom] = []
    at = 0
    while at < len(runs):
        close = closer[at]
        if close > 0 and runs[close][0] > runs[at][1] and text[runs[at][0]] != "\n":
            out.append((runs[at][0], runs[close][1], Kind.ATOM))
            at = close
        at += 1
    return out


def _regions(codes: Codes, free: Bool) -> list[tuple[int, int]]:
    """Stretches of white-space-delimited chunks which may hold an atom, with their neighbours."""
    size = codes.shape[0]
    solid = (codes > 2) & free
    word = GROUP[codes] == G_WORD
    before = np.zeros(size, np.bool_)
    before[1:] = word[:-1]
    after = np.zeros(size, np.bool_)
    after[:-1] = word[1:]
    hot = (codes == DIGIT) | (codes == SLASH)
    hot |= ((codes == DOT) | (codes == COLON)) & after
    hot |= (codes == OPEN) & before
    hot |= (codes == JOIN) & ~before
    hot[1:] |= (codes[1:] == COLON) & (codes[:-1] == COLON)
    at = np.flatnonzero(hot & free)
    if not at.size:
        return []
    edges = np.flatnonzero(solid[1:] != solid[:-1]) + 1
    if solid[0]:
        edges = np.r_[0, edges]
    if solid[-1]:
        edges = np.r_[edges, size]
    begin, stop = edges[::2], edges[1::2]
    chunk = np.unique(np.searchsorted(begin, at, side="right") - 1)
    low = np.maximum(chunk - 1, 0)
    high = np.minimum(chunk + 3, begin.shape[0] - 1)
    new = np.flatnonzero(low[1:] > high[:-1]) + 1
    firsts = begin[low[np.r_[0, new]]].tolist()
    lasts = stop[high[np.r_[new - 1, chunk.size - 1]]].tolist()
    return list(zip(firsts, lasts, strict=True))


def _apart(atoms: list[Atom]) -> list[Atom]:
    """The earliest of overlapping atoms."""
    atoms.sort()
    out: list[Atom] = []
    for atom in atoms:
        if not out or atom[0] >= out[-1][1]:
            out.append(atom)
    return out


def _merge(first: list[Atom], second: list[Atom]) -> list[Atom]:
    """Both lists in order; where they overlap, those of the first."""
    out: list[Atom] = []
    at = 0
    for atom in second:
        while at < len(first) and first[at][1] <= atom[0]:
            out.append(first[at])
            at += 1
        if at == len(first) or atom[1] <= first[at][0]:
            out.append(atom)
    return out + first[at:]
