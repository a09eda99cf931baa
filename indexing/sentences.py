"""Where sentences end, in English and Chinese, as exact spans of the text.

One pass over the places where a sentence could end (a full stop and its closing quotes, a line end);
each is decided by the word before it and the letter after it. Linear in the length of the text.
"""

import re
from collections.abc import Iterator

from indexing.lines import continues, wrap_width

Span = tuple[int, int]

_CANDIDATE = re.compile(
    r"(?P<wide>[。！？；｡．]++[!?]*)(?P<wide_close>[”’」』）》〉】\)]*+)(?:\[\d{1,4}\])*"
    r"|(?P<stop>(?<![.!?…])[.!?…]++)(?P<close>[\"'”’\)\]»}*_]*+)(?P<note>(?:\[[\w ,]{1,16}\])*)"
    r"(?=\s|$|[\u3400-\u9fff“「『（])"
    r"|(?P<line>[\n\r\f\u2028\u2029]\s*+)"
)
_SOLID = re.compile(r"\S")
_WORD = re.compile(r"[^\W_]+(?:['’]\w+)?")
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*+\n")
_INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]{1,2}|[A-Z]|Ph\.?D")
_ENUMERATOR = re.compile(r"\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5}|\d{1,3}(?:\.\d{1,3})+)")
_SAID = re.compile(
    r"\s*(?:[A-Z][\w’'-]*\s+|the\s+\w+\s+|he\s+|she\s+|they\s+){0,3}"
    r"(?:said|says|asked|asks|replied|answered|wrote|added|shouted|cried|whispered|explained|noted)\b"
)
_SAID_CHINESE = re.compile(
    r"[^，。！？；：:\n“”「」\"]{0,8}(?:说|說|道|问|問|答|喊|叫|表示|写|寫|回应|回應)(?!道?着?[：:，,]?[“「\"：:])"
)

_NEVER = frozenset(
    [
        *("mr", "mrs", "ms", "messrs", "dr", "prof", "gen", "sen", "rep", "gov", "capt", "cpt", "col", "lt"),
        *("sgt", "maj", "cmdr", "adm", "rev", "fr", "hon", "pres", "supt", "det", "insp", "mt", "ft", "e.g"),
        *("i.e", "eg", "ie", "cf", "viz", "vs", "approx", "ca", "resp", "incl", "excl", "esp", "aka", "a.k.a"),
        *("w.r.t", "dept", "govt"),
    ]
)
"""Abbreviations that something always follows: no sentence ends with them."""

_NUMBERED = frozenset(
    [
        *("no", "nos", "nr", "vol", "vols", "fig", "figs", "eq", "eqs", "eqn", "sec", "secs", "sect", "ch"),
        *("chap", "chs", "art", "arts", "pp", "p", "pg", "pt", "par", "para", "ver", "v", "tab", "ref", "refs"),
        *("app", "ex", "op", "ed", "eds", "bk", "ln", "ll", "col", "jan", "feb", "mar", "apr", "jun", "jul"),
        *("aug", "sep", "sept", "oct", "nov", "dec"),
    ]
)
"""Abbreviations that a number follows."""

_SOMETIMES = frozenset(
    [
        *("inc", "ltd", "co", "corp", "plc", "jr", "sr", "etc", "al", "ave", "blvd", "rd", "st", "bros", "esq"),
        *("univ", "assn", "assoc", "est", "min", "max", "avg", "std", "misc", "intl", "natl", "mon", "tue"),
        *("tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun", "mass", "calif", "conn", "ill", "fla"),
        *("ariz", "colo", "tenn", "wash", "penn"),
    ]
)
"""Abbreviations that may end a sentence: they do when a word follows that opens sentences."""

_OPENERS = frozenset(
    [
        *("the", "a", "an", "this", "that", "these", "those", "it", "its", "he", "she", "they", "we", "you", "i"),
        *("his", "her", "their", "our", "my", "your", "there", "here", "in", "on", "at", "by", "for", "from"),
        *("with", "after", "before", "during", "since", "until", "when", "while", "where", "why", "how", "what"),
        *("who", "which", "if", "although", "though", "because", "as", "but", "and", "or", "so", "yet"),
        *("however", "moreover", "furthermore", "therefore", "thus", "then", "also", "later", "today", "now"),
        *("once", "one", "two", "some", "many", "most", "all", "each", "both", "several", "other", "another"),
        *("no", "not", "to", "under", "over", "between", "among", "according", "despite", "unlike", "such"),
        *("first", "second", "finally", "meanwhile", "instead", "is", "are", "was", "were", "do", "does", "did"),
        *("can", "could", "will", "would", "should", "may", "see", "use", "born"),
    ]
)


def sentences(text: str) -> list[Span]:
    """Spans of the sentences of a text, in order, without overlap; every visible character lies in one.

    Blank lines, list items and lines that end on purpose end a sentence too; a line that was only
    wrapped does not. Spans begin and end with a visible character.
    """
    spans: list[Span] = []
    start = _first_visible(text, 0)
    for end, resume in _ends(text):
        if end > start:
            spans.append((start, end))
        start = _first_visible(text, resume)
    end = len(text.rstrip())
    if start < end:
        spans.append((start, end))
    return spans


def _first_visible(text: str, position: int) -> int:
    found = _SOLID.search(text, position)
    return found.start() if found else len(text)


def _ends(text: str) -> Iterator[Span]:
    """(end of a sentence, where the next may begin), in order."""
    start = _first_visible(text, 0)
    wraps = _Wraps(text)
    position = 0
    while (found := _CANDIDATE.search(text, position)) is not None:
        position = found.end()
        if found["line"] is not None:
            joined = wraps.joined(found.start(), position)
            end = found.start()
            while end > start and text[end - 1].isspace():
                end -= 1
            if end <= start or joined:
                continue
        elif found["wide"] is not None:
            end = _close_plain_quote(text, start, position)
            position = end
            if not _ends_wide(text, found, end):
                continue
        else:
            end = position
            if not _ends_stop(text, start, found):
                continue
        yield end, position
        start = _first_visible(text, position)


def _close_plain_quote(text: str, start: int, end: int) -> int:
    """A straight quote after a Chinese full stop closes when one was opened in this sentence."""
    if text[end : end + 1] == '"' and text.count('"', max(start, end - 400), end) % 2:
        return end + 1
    return end


def _ends_wide(text: str, found: re.Match[str], end: int) -> bool:
    mark, close = found["wide"], text[found.end("wide") : end]
    following = text[end : end + 1]
    if mark == "．" and (following.isdigit() or text[found.start() - 1 : found.start()].isdigit()):
        return False  # a full-width decimal point or "１．"
    if close.endswith(("》", "〉")) or (close.endswith(("）", ")")) and mark[-1] in "！？!?"):
        return False  # a title or an aside that is itself a question: the sentence goes on
    return not (close.endswith(("”", "」", "』", '"', "’")) and _SAID_CHINESE.match(text, end))


def _ends_stop(text: str, start: int, found: re.Match[str]) -> bool:
    stop, close = found["stop"], found["close"]
    end = found.end()
    next_start = _first_visible(text, end)
    following = text[next_start : next_start + 1]
    if not following:
        return True
    spaced = next_start > end
    if stop.count(".") > 4:
        return False  # dot leaders of a table of contents
    if "!" in stop or "?" in stop:
        if following.islower():
            return False
        return not (close.endswith(('"', "”", "’", "'")) and _SAID.match(text, end))
    if not spaced:  # a Chinese character follows at once
        return stop == "." and "\u3400" <= text[found.start() - 1 : found.start()] <= "\u9fff"
    if "…" in stop or len(stop) > 1:
        return not following.islower() and not ("…" in stop and "\u3400" <= following <= "\u9fff")
    if close.endswith(('"', "”", "’", "'")) and following.islower():
        return False
    return _ends_word(text, start, found.start(), next_start)


def _ends_word(text: str, start: int, dot: int, next_start: int) -> bool:
    """Whether the full stop at `dot` ends a sentence, by the word before and the word after."""
    before = text[max(start, dot - 40) : dot].split()
    if not before:
        return True
    word = before[-1].lstrip("([{\"'“‘«*_")
    first = dot - len(before[-1])
    if first <= start and _ENUMERATOR.fullmatch(word):
        return False  # "1. Install", "A. Scope"
    lowered = word.lower()
    following = text[next_start]
    if lowered in _NEVER:
        return False
    if lowered in _NUMBERED:
        if following.isdigit() or (following in "(#§" and text[next_start + 1 : next_start + 2].isdigit()):
            return False
        return lowered == "no" or _opens(text, next_start)
    if lowered in _SOMETIMES or _INITIALS.fullmatch(word):
        return _opens(text, next_start)
    if following.islower():  # an abbreviation nobody listed is short; a sentence may begin with a name like "iter()"
        return len(word) >= 4 and word.isalpha() and word.islower()
    return True


def _opens(text: str, position: int) -> bool:
    """Whether the word at `position` is capitalised and one that opens sentences."""
    found = _WORD.search(text, position, position + 30)
    return found is not None and found[0][0].isupper() and found[0].lower() in _OPENERS


class _Wraps:
    """Tells wrapped line ends from real ones; the width of a paragraph is measured once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = -1
        self.width = 0
        self.line_start = 0

    def joined(self, newline: int, resume: int) -> bool:
        """Whether the line end at `newline`, followed by text at `resume`, lies inside a sentence."""
        text = self.text
        line_start, next_line = self.line_start, text.rfind("\n", newline, resume) + 1
        self.line_start = next_line or resume
        if resume >= len(text) or text[newline] != "\n" or text.count("\n", newline, resume) != 1:
            return False
        if newline >= self.end:
            found = _PARAGRAPH_END.search(text, newline)
            self.end = found.start() if found else len(text)
            self.width = wrap_width(text[line_start : self.end].split("\n"))
        line_end = text.find("\n", resume)
        following = text[next_line : line_end if line_end >= 0 else len(text)]
        return continues(text[line_start:newline], following[:400], self.width)
