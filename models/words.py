"""Words of a turn: its language, its content words, and which words carry no content. English and Chinese."""

import re
from collections.abc import Iterator

from indexing.chinese import simplified

CJK = r"\u3400-\u4dbf\u4e00-\u9fff"
CHINESE_RUN = re.compile(f"[{CJK}]+")
LATIN_WORD = re.compile(r"[^\W\d_][\w]*(?:['’\-.](?!s\b)\w+)*|\d+(?:[.,:]\d+)*%?")

STOP_WORDS = frozenset(
    """a an the this that these those it its he him his she her hers they them their theirs we us our you your i me my
    is are was were be been being am do does did done doing has have had having can could will would shall should may
    might must of in on at by for with from to into about as than then so and or but not no nor if while also too very
    just any some such there here what which who whom whose when where why how much many more most other another else
    please tell give show explain describe know say said let's thing things one ones get got go up out over s t ll re
    ve d m""".split()  # noqa: SIM905
)
"""English words that a search does without."""

CHINESE_STOP_PATTERN = re.compile(
    "请问一下|请告诉我|告诉我|我想知道|你知道|能不能|可不可以|能否|是不是|是否|有没有|为什么|为何|为啥|何[时地处年人]|什么时候|什么样|什么|啥|"
    "怎么样|怎么|怎样|如何|哪一年|哪年|哪一[个位座]|哪[个些里儿位座部]|哪|谁的|谁|多少|多大|多长|多高|多久|多远|请问|一下|关于|"
    "介绍|以及|还有|还是|因为|所以|但是|而且|可以|这[个些里么样]|那[个些里么样]|它们|他们|她们|我们|你们|(?<!其)他|[她它我你您]|"
    "几(?=[个年次名位人部座种本天号月])|^请|^那|[吗呢吧啊呀嘛的]|(?<!于)是(?!非)|(?<!为)了(?!解)"
)
"""Chinese words that a search does without, in simplified characters; single signs that begin longer words (地球, 和平)
are left alone."""


def language_of(text: str) -> str:
    """ "zh" when Chinese characters weigh more than a third of the words, else "en"."""
    chinese = sum(len(run) for run in CHINESE_RUN.findall(text))
    latin = len(LATIN_WORD.findall(CHINESE_RUN.sub(" ", text)))
    return "zh" if chinese and chinese >= latin else "en"


def latin_words(text: str) -> list[str]:
    """Words and numbers in Latin writing, as written, possessive 's left off."""
    return LATIN_WORD.findall(CHINESE_RUN.sub(" ", text))


def content_words(text: str) -> list[str]:
    """Lower-case words that carry content, in order: Latin words less the stop words, and stretches of Chinese
    between Chinese stop words."""
    found: list[tuple[int, str]] = []
    for match in LATIN_WORD.finditer(text):
        for piece in re.finditer(f"[^{CJK}]+", match.group()):
            word = piece.group().lower()
            if word not in STOP_WORDS:
                found.append((match.start() + piece.start(), word))
    for run in CHINESE_RUN.finditer(text):
        found += [(run.start() + start, word) for start, word in stretches(run.group(), CHINESE_STOP_PATTERN)]
    return [word for _, word in sorted(found)]


def stretches(run: str, stops: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """What stands between the stop words of a run of Chinese in either script, as written, with its place."""
    start = 0
    for stop in [*stops.finditer(simplified(run)), None]:
        end = stop.start() if stop else len(run)
        if end > start:
            yield start, run[start:end]
        start = stop.end() if stop else end


def units(text: str) -> list[str]:
    """Comparable units: stems of Latin words (a plural or -ed is dropped) and bigrams of Chinese stretches."""
    made: list[str] = []
    for word in content_words(text):
        if CHINESE_RUN.fullmatch(word):
            made += [word[i : i + 2] for i in range(len(word) - 1)] or [word]
        else:
            made.append(stem(word))
    return made


def stem(word: str) -> str:
    """A crude English stem, enough to compare a question's word with a title's."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
