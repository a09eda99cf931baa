"""Tokens by numbers: the same number for the same token, whoever asks."""

import threading

from indexing.tokenize import Analyser
from indexing.vocabulary import BATCH, Vocabulary, numbered, term_ids


def test_passages_are_numbered_batch_after_batch() -> None:
    first, second = numbered([(["a", "b", "a"], ["s"])] * BATCH + [(["b"], [])])
    assert (first.ids[:4].tolist(), first.rows[:4].tolist(), first.lengths[:2].tolist()) == (
        [0, 1, 0, 2],
        [0] * 4,
        [3, 3],
    )
    assert (second.ids.tolist(), second.rows.tolist(), second.lengths.tolist()) == ([1], [0], [1])
    assert second.vocabulary.hashes().tolist() == term_ids(["a", "b", "s"]).tolist()
    assert not list(numbered([]))


def test_hashes_grow_with_the_vocabulary() -> None:
    vocabulary = Vocabulary()
    for count, token in enumerate(["a", "b", "a", "c"]):
        assert vocabulary[token] == min(count, 2) * (token != "a")
        assert vocabulary.hashes().tolist() == term_ids(vocabulary).tolist()


def test_threads_give_each_token_one_number() -> None:
    vocabulary, words = Vocabulary(), [f"w{n}" for n in range(5000)]
    found: list[list[int]] = []
    threads = [threading.Thread(target=lambda: found.append([vocabulary[word] for word in words])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 8
    assert sorted(found[0]) == list(range(5000))
    assert vocabulary.hashes().tolist() == term_ids(sorted(words, key=vocabulary.__getitem__)).tolist()


def test_threads_number_texts_as_one_does() -> None:
    shared, texts = Analyser(), [f"word{n % 700} runs, 電腦軟體{chr(0x4E00 + n)}" for n in range(3000)]
    found: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda: found.append([len(one.ids) for one in shared.numbered(texts)]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[len(one.ids) for one in Analyser().numbered(texts)]] * 6
