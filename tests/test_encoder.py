"""Vectors mean what the text means, in both languages, whatever runs them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from indexing.types import BadInput, Encoder, ModelMissing
from models.encoder import SentenceEncoder, TrunkEncoder, load_encoder, plain_encoder, read_recipe
from models.weights import model_folder

QUERIES = ["how do I keep bread fresh", "南瓜怎么炒才好吃"]
PASSAGES = [
    "Bread stays fresh for days in a paper bag inside a closed box; in a refrigerator it goes stale sooner.",
    "南瓜去皮切成细丝，锅里放油烧热，下葱花炒香，再放南瓜丝大火翻炒一分钟，加盐和少许糖即可出锅。",
]


@pytest.fixture(scope="module")
def exact(models_home: Path) -> Encoder:
    return load_encoder("multilingual-e5-small", models_home, precision="float32")


def test_queries_are_nearest_to_the_passage_that_answers_them(encoder: Encoder) -> None:
    scores = encoder.encode_queries(QUERIES) @ encoder.encode_passages(PASSAGES).T
    assert scores.argmax(axis=1).tolist() == [0, 1]
    assert np.diag(scores).min() - (scores.sum(axis=1) - np.diag(scores)).max() > 0.08


def test_a_translation_is_nearer_than_another_subject(encoder: Encoder) -> None:
    english, chinese, other = encoder.encode_passages(
        [
            "The lighthouse at the mouth of the river was lit for the first time in 1893.",
            "河口的灯塔在一八九三年首次点亮。",
            "面包发酵是因为酵母把糖变成二氧化碳和酒精。",
        ]
    )
    assert english @ chinese > english @ other + 0.05


def test_vectors_are_of_unit_length_even_of_odd_texts(encoder: Encoder) -> None:
    texts = ["", " ", "a", "😀", "\x00", "<s></s>", "字" * 2000, "word " * 2000]
    vectors = encoder.encode_passages(texts)
    assert vectors.shape == (len(texts), encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode_passages([]).shape == (0, encoder.dimension)


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    texts = [*PASSAGES, "short", "另一段文字", *QUERIES]
    together = encoder.encode_passages(texts)
    backwards = encoder.encode_passages(texts[::-1])[::-1]
    alone = np.concatenate([encoder.encode_passages([text]) for text in texts])
    np.testing.assert_allclose(together, backwards, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_queries_and_passages_carry_their_own_prompts(encoder: Encoder) -> None:
    assert isinstance(encoder, TrunkEncoder)
    assert (encoder.recipe.query_prompt, encoder.recipe.passage_prompt) == ("query: ", "passage: ")
    assert float(encoder.encode_queries(["tea"])[0] @ encoder.encode_passages(["tea"])[0]) < 0.999


def test_the_vectors_are_those_of_sentence_transformers(exact: Encoder, models_home: Path) -> None:
    assert isinstance(exact, TrunkEncoder)
    plain = plain_encoder("multilingual-e5-small", models_home)
    np.testing.assert_allclose(exact.encode_passages(PASSAGES), plain.encode_passages(PASSAGES), atol=1e-4)
    np.testing.assert_allclose(exact.encode_queries(QUERIES), plain.encode_queries(QUERIES), atol=1e-4)
    assert exact.fingerprint == plain.fingerprint


def test_the_fingerprint_is_of_the_model_and_not_of_the_arithmetic(
    encoder: Encoder, exact: Encoder, models_home: Path
) -> None:
    assert exact.fingerprint == encoder.fingerprint
    recipe = read_recipe(model_folder(models_home, "multilingual-e5-small"))
    assert recipe.fingerprint("a") != recipe.fingerprint("b")


@pytest.fixture
def first_token_model(tmp_path: Path) -> Path:
    """A small BERT of random weights in sentence-transformers format that pools the first token."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path / "first-token"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "rain", "query", "passage", ":"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "query: "}}')
    return folder


def test_any_other_model_runs_through_sentence_transformers(first_token_model: Path, tmp_path: Path) -> None:
    other = load_encoder(str(first_token_model), tmp_path)
    assert isinstance(other, SentenceEncoder)
    assert other.dimension == 16
    queries, passages = other.encode_queries(["tea rain"]), other.encode_passages(["tea rain"])
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)
    assert not np.allclose(queries, passages, atol=1e-4)
    assert other.encode_queries([]).shape == (0, 16)


def test_other_prompts_are_another_encoder(first_token_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(first_token_model, copy)
    same = load_encoder(str(copy), tmp_path).fingerprint
    (copy / "config_sentence_transformers.json").write_text('{"prompts": {"query": "ask: "}}')
    assert same == load_encoder(str(first_token_model), tmp_path).fingerprint
    assert same != load_encoder(str(copy), tmp_path).fingerprint


def test_an_unknown_encoder_lists_what_can_be_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        load_encoder("multilingual-e5", tmp_path)
    assert "multilingual-e5-small" in caught.value.hint
    assert "OWNER/NAME" in caught.value.hint


def test_a_model_that_is_not_installed_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing) as caught:
        load_encoder("all-minilm-l6-v2", tmp_path)
    assert caught.value.hint == "Run: passerine models install all-minilm-l6-v2"


def test_8_bits_are_refused_where_the_machine_lacks_them(models_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.precision.has_fast_bytes", lambda: False)
    with pytest.raises(BadInput, match="8 bits"):
        load_encoder("multilingual-e5-small", models_home, precision="int8")
    assert load_encoder("multilingual-e5-small", models_home).precision in ("float32", "bfloat16")
