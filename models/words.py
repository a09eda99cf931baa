"""Words of a turn: its language, its content words, and which words carry no content. English and Chinese."""

import re

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

CHINESE_STOP = (
    "请问一下 请告诉我 告诉我 你知道 我想知道 你能 能不能 可不可以 能否 是不是 有没有 为什么 为何 什么时候 "
    "什么样 什么 怎么样 怎么 怎样 如何 哪一年 哪年 哪一个 哪个 哪些 哪里 哪儿 哪位 哪 谁的 谁 多少 多大 多长 "
    "多高 多久 几个 几 请问 请 一下 关于 介绍 以及 还有 还是 或者 因为 所以 但是 而且 可以 这个 那个 这些 "
    "那些 这 那 它们 他们 她们 它 他 她 我们 我 你 您 吗 呢 吧 啊 呀 嘛 了 着 过 的 地 得 是 在 有 和 与 跟 "
    "被 把 对 从 到 由 于 以 为 也 都 就 又 很 最 并 而 或 及 叫 说 讲 会 能 要 想"
).split()  # noqa: SIM905
"""Chinese words that a search does without, longest first within a stem."""
CHINESE_STOP_PATTERN = re.compile("|".join(sorted(map(re.escape, CHINESE_STOP), key=len, reverse=True)))


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
        start = 0
        for stop in [*CHINESE_STOP_PATTERN.finditer(run.group()), None]:
            end = stop.start() if stop else len(run.group())
            if end > start:
                found.append((run.start() + start, run.group()[start:end]))
            start = stop.end() if stop else end
    return [word for _, word in sorted(found)]


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
