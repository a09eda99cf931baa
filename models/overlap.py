"""Which sentences of a passage share words with a question: old and strong evidence for where an answer stands.

A reader trained on few questions finds the words inside the right sentence better than the sentence itself; the share
of a question's words that a sentence holds finds the sentence. `models/reader.py` joins both.
"""

import math
from collections.abc import Sequence

from indexing.chinese import simplified
from models.words import content_words

LEAST_STEM = 4
MOST_STEM = 6


def terms(text: str) -> set[str]:
    """Content words, English ones cut to a stem-like beginning, Chinese ones as overlapping pairs of simplified
    characters."""
    found: set[str] = set()
    for word in content_words(simplified(text)):
        if not word.isascii():
            found.update([word[at : at + 2] for at in range(len(word) - 1)] or [word])
        elif word.isalpha():
            found.add(word[: max(LEAST_STEM, min(MOST_STEM, len(word) - 2))])
        else:
            found.add(word)
    return found


def shares(question: str, sentences: Sequence[str]) -> list[float]:
    """For each sentence the share in [0, 1] of the question's words that it holds.

    A word counts by its rarity among these sentences, ln(1 + (n - d + .5) / (d + .5)) as in BM25: what every sentence
    of a passage says tells none of them apart.
    """
    asked = terms(question)
    held = [terms(sentence) & asked for sentence in sentences]
    count = len(sentences)
    among = {word: sum(word in words for words in held) for word in asked}
    weight = {word: math.log(1 + (count - d + 0.5) / (d + 0.5)) for word, d in among.items()}
    total = sum(weight.values()) or 1.0
    return [sum(weight[word] for word in words) / total for words in held]
