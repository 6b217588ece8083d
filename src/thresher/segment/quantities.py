"""Patterns of quantities: what may stand before and after a number as part of it."""

from __future__ import annotations

import re

# a word character of a script that puts spaces between words
L = (
    r"[^\W\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff]"
)
SP = "[ \u00a0\u2009\u202f]"
GAP = rf"(?:{SP}|\r?\n[ \t]*)"  # the line may be wrapped here

_ENGLISH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    r"Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_MONTH = (
    rf"(?:{_ENGLISH}|(?:Januar|Jänner|Februar|März|Mai|Juni|Juli|Oktober|Dezember|janvier|février|"
    r"mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre|enero|febrero|marzo|"
    r"abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|gennaio|febbraio|"
    r"aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|março|maio|junho|"
    r"julho|setembro|outubro|novembro|dezembro|januari|februari|maart|mei|augustus|"
    r"января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря)\b)"
)
_ZONE = r"(?:UTC|GMT|[ECMP][SD]?T|CEST|BST|IST|JST)\b"
_SIGN = r"[$€£¥₹₽₩₺₴₪₫฿₦]"
_CODES = "USD EUR GBP JPY CNY RMB CHF INR CAD AUD KRW BTC ETH HKD SGD NZD SEK NOK DKK BRL MXN ZAR"
_CODE = "(?:" + "|".join(_CODES.split()) + ")"
CURRENCY = rf"(?:(?:US|CA|AU|NZ|HK|[ACRS])?{_SIGN}|{_CODE}\b)"

_SCALE = (
    r"(?:hundred|thousand|million|billion|trillion|mill?n|bn|mn|tn|lakh|crore|Millionen|Milliarden|"
    r"millions?|milliards?|millones|Mio\.?|Mrd\.?|млн|млрд|тыс\.?)"
)
_MONEY = (
    rf"(?:(?:US{SP})?dollars?|euros?|pounds?(?:{SP}sterling)?|yen|yuan|rupees?|cents?|francs?|"
    rf"{_CODE}|{_SIGN}|рублей|руб\.)"
)
_UNIT_NAMES = (
    r"%|‰|°{sp}?[CFK]?|[kcmµμn]?m[²³23]?|[kmµμn]g|[kMGTP]i?[Bb](?:/s|ps)?|[kMGT]?Hz|[kMGT]?Wh?|"
    r"[kMG]?[VJN]|mAh?|[kM]?[Pp]a|hPa|[mµμn]?s|[mcd]?[lL]|g|h|K|min|sec|hrs?|kcal|cal|bar|dB|mol|ppm|"
    r"ppb|px|pt|lbs?|oz|ft|mph|km/h|m/s[²2]?|kph|mi|yd|acres?|hectares?|ha|psi|rpm|fps|tonnes?|tons?|"
    r"percent|per{sp}cent|percentage{sp}points?|degrees?(?:{sp}(?:Celsius|Fahrenheit|C|F))?|"
    r"(?:nano|micro|milli)?seconds?|minutes?|hours?|days?|weeks?|months?|years?(?:{sp}old)?|"
    r"decades?|centur(?:y|ies)|(?:square|cubic){sp}(?:(?:kilo|centi)?met(?:er|re)s?|feet|miles?)|"
    r"(?:kilo|centi|milli)?met(?:er|re)s?|miles?|feet|foot|inch(?:es)?|yards?|(?:kilo|milli)?grams?|"
    r"kilos?|pounds?|ounces?|lit(?:er|re)s?|gallons?|(?:kilo|mega|giga|tera)?(?:byte|bit|watt)s?|"
    r"(?:kilo|mega|giga)?hertz|volts?|amps?|calories|tokens?|"
    r"Jahren?|Tagen?|Stunden?|Minuten|Prozent|ans|années|jours|heures|años|días|horas|anni|giorni|"
    r"ore|anos|dias|jaar|dagen|uur|лет|года?|дней|часов|процентов|кг|км|см|мм|м|г|ч"
)
_UNIT = "(?:" + _UNIT_NAMES.replace("{sp}", SP) + ")"
_YEAR = rf"(?:,?{GAP}(?:de{SP}|del{SP})?\d{{4}}(?![\d.,]*\d))"

NUMBER = (
    rf"(?:(?<![\w)\]\"'])[-+−±])?(?:{CURRENCY}{SP}?[-−]?)?\d+(?:[.,:/'’_×–-]?\d+)*+"
    rf"(?:[eE][-+]?\d+)?"
)
TAIL = rf"(?:[%‰°²³½¼¾]*{L}*+)(?:[-+.]{L}++)*+(?:[+%](?!{L}))?"
ISO = r"\d{4}-\d\d?-\d\d?T\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\d)"
CJK_COUNTER = (
    r"[万萬亿億兆千百]*+(?:年代?|[ヶか个個]?月|日|号|號|时|時間?|点|點|分|秒|个|個|人|元|円|圆|圓|块|塊|度|"
    r"％|%|岁|歳|才|回|次|名|位|台|本|枚|件|章|节|節|页|頁|世纪|世紀|级|級|届|屆|階|倍|歩|米|公里|公斤|平方公里)"
)
CJK_DATE = r"(?:\d+(?:年|月|日|号|號|时|時|点|點|分|秒)){2,}"

AFTER_NUMBER = re.compile(  # thousands, then a scale, currency, unit, half of the day or month
    rf"(?:(?:[\u00a0\u2009\u202f]\d{{3}}(?!\d))+|(?:{SP}\d{{3}}){{2,5}}(?![\d.]*\d)|(?:{SP}000)+(?!\d))?"
    rf"(?:[.,]\d+(?!\d))?"
    rf"(?:{GAP}(?:{_SCALE}(?:{GAP}{_MONEY})?|{_MONEY}|{_UNIT})(?![\w'’²³/-]*\w)"
    rf"|{GAP}(?:[AaPp]\.{SP}?[Mm]\.|[AaPp][Mm]\b|Uhr\b|h\b)(?:{SP}{_ZONE})?|{SP}{_ZONE})?"
)
AFTER_DAY = re.compile(rf"{GAP}(?:of{SP}|de{SP})?{_MONTH}{_YEAR}?")
AFTER_DATE = re.compile(
    rf"{SP}\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|{SP}?[+-]\d\d:?\d\d|{SP}{_ZONE})?(?!\d)"
)
DAY = re.compile(r"\d\d?(?:st|nd|rd|th|er|º|ª)?\.?")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
MONTH_DAY = re.compile(
    rf"{_ENGLISH}{GAP}(?:\d\d?(?:st|nd|rd|th)?(?![\d:%])(?:{SP}?[–-]{SP}?\d\d?(?!\d))?{_YEAR}?"
    rf"|\d{{4}}(?!\d))(?![.,]?\d)"
)
MONTHS = frozenset(
    """January February March April May June July August September October November December
    Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept.
    Oct. Nov. Dec.""".split()  # noqa: SIM905
)
CURRENCIES = frozenset([*_CODES.split(), *"$€£¥₹₽₩₺", "US$", "C$", "A$", "HK$", "R$"])
