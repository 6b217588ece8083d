"""Words whose full stop does not end a sentence, in the commoner languages."""

from __future__ import annotations

_NEVER_TEXT = """mr mrs ms dr prof st mt rev hon gen col maj capt lt sgt cmdr adm gov sen rep pres
messrs mme mlle vs cf e.g. i.e. eg ie viz al ca approx resp fig figs eq eqs sec secs ch chap art
vol nr pp ed eds trans univ assn est esp incl sr sra dra hr fr frau bd abb tab hrsg bzw evtl ggf
z.b. d.h. u.a. o.ä. i.d.r. s.o. v.a. vgl sog mio mrd str ing dipl tel bzgl inkl zzgl p.ej. ej av
vols gl ул гл рис стр см тыс млн млрд им"""
_NUMBERED_TEXT = "no nos nr fig figs eq p pp ch vol sec art op cap § т п n"
_MAYBE_TEXT = """inc ltd co corp jr sr etc llc plc bros dept jan feb mar apr jun jul aug sep sept
oct nov dec mon tue wed thu fri sat sun ave blvd rd max min u.s. u.k. u.n. e.u. u.s.a. a.m. p.m.
ph.d. m.d. b.a. m.a. d.c. l.a. n.y. b.c. a.d. b.c.e. usw etw am pm г гг руб др"""
_STARTER_TEXT = """the a an it he she they we i you this that these those in on at for but and
however if when there his her its their our my as after before since while although by from with to
who what where why how no yes then thus so also many most some all each such one two another other
according despite during under over once today here meanwhile moreover furthermore nevertheless
der die das ein eine er sie es wir ich in im am le la les un une il elle ils el los las en on"""

NEVER = frozenset(_NEVER_TEXT.split())
NUMBERED = frozenset(_NUMBERED_TEXT.split())  # before a number
MAYBE = frozenset(_MAYBE_TEXT.split())  # only before a word that often starts a sentence
STARTERS = frozenset(_STARTER_TEXT.split())
