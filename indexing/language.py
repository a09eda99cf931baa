"""Which language a text is in: by script where the script decides, else by py3langid where it is sure."""

import re
from functools import lru_cache
from typing import Protocol

_SAMPLE = 4000
_SURE = 0.5
"""Below this probability a short text is not called anything: "Python" alone is in no language."""

_SURE_OF_SCRIPT = 0.3
"""The same for scripts that only a few languages are written in."""

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’][a-z]+)?")
_OTHER_LETTER = re.compile(r"[\u0370-\u1fff]")
_ENGLISH = frozenset(
    [
        *("the", "of", "and", "to", "is", "are", "was", "for", "with", "this", "that", "how", "what", "when", "where"),
        *("who", "why", "which", "does", "do", "did", "can", "not", "you", "it", "from", "by", "be", "have", "has"),
        *("should", "will", "would", "if", "my", "your", "their", "its", "there", "an"),
    ]
)


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


def detect_language(text: str) -> str:
    """ISO 639-1 code of the language that most of a text is in, "" when that cannot be told."""
    sample = text if len(text) <= _SAMPLE else text[: _SAMPLE // 2] + text[len(text) // 2 :][: _SAMPLE // 2]
    han, kana, hangul = len(_HAN.findall(sample)), len(_KANA.findall(sample)), len(_HANGUL.findall(sample))
    words = _LATIN_WORD.findall(sample)
    eastern = han + kana + hangul
    if eastern and eastern / 1.5 >= 0.5 * len(words):  # a Chinese word has about one and a half characters
        if hangul * 2 >= eastern:
            return "ko"
        return "ja" if kana * 8 >= eastern else "zh"
    if not words and not _OTHER_LETTER.search(sample):
        return ""
    return _by_words(sample, [word.lower() for word in words])


def _by_words(sample: str, words: list[str]) -> str:
    code, probability = _identifier().classify(sample)
    if not words:
        return code if probability >= _SURE_OF_SCRIPT else ""
    if probability >= _SURE and len(words) >= 3:
        return code
    english = sum(word in _ENGLISH for word in words)
    return "en" if english and (english * 5 >= len(words) or code == "en") and sample.isascii() else ""


@lru_cache(maxsize=1)
def _identifier() -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages([code for code in found.labels if len(code) == 2])
    identifier: _Identifier = found
    return identifier
