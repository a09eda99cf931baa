"""The trunk computes what transformers' BertModel computes, without padding, in every precision."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional

from indexing.types import BadInput, ModelDamaged
from models import layers, precision
from models.ranges import NAME, read_ranges, save_ranges
from models.reader import BUNDLED
from models.train_ranges import train_ranges
from models.trunk import RANGES, Trunk, groups
from models.weights import model_folder

TEXTS = [
    "query: how tall is the lighthouse",
    "passage: The lighthouse at the mouth of the river is 41 metres tall and was lit for the first time in 1893.",
    "passage: 河口的灯塔高四十一米，一八九三年首次点亮。",
    "passage: Bread rises because yeast turns sugar into carbon dioxide and alcohol.",
    "query: 面包为什么会发酵",
]
BYTES = pytest.mark.skipif(not precision.has_fast_bytes(), reason="this CPU has no AVX-512 VNNI")


@pytest.fixture(scope="module")
def folder(models_home: Path) -> Path:
    return model_folder(models_home, "multilingual-e5-small")


@pytest.fixture(scope="module")
def exact(folder: Path) -> Trunk:
    return Trunk.load(folder, precision="float32")


def means(states: list[torch.Tensor]) -> torch.Tensor:
    return functional.normalize(torch.stack([part.mean(dim=0) for part in states]), dim=-1)


def test_states_are_those_of_transformers(folder: Path, exact: Trunk) -> None:
    from transformers import BertModel

    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    sequences = exact.tokenize(TEXTS)
    for ids, states in zip(sequences, exact.hidden(sequences), strict=True):
        with torch.no_grad():
            expected = model(torch.tensor([ids])).last_hidden_state[0]
        torch.testing.assert_close(states, expected, rtol=0, atol=2e-4)


def test_tokens_are_those_of_xlm_roberta(exact: Trunk) -> None:
    [ids] = exact.tokenize(["Ｈｅｌｌｏ   world ①"])
    tokens = [exact.tokenizer.id_to_token(token) for token in ids]
    assert tokens == ["<s>", "▁Hello", "▁world", "▁1", "</s>"]
    [unknown] = exact.tokenize(["\U00012000"])
    assert exact.tokenizer.id_to_token(unknown[-2]) == "<unk>"


def test_a_pass_can_stop_and_go_on(exact: Trunk) -> None:
    sequences = exact.tokenize(TEXTS)
    lower = exact.hidden(sequences, last=8)
    upper = exact.hidden(sequences, first=8, states=lower)
    for halves, whole in zip(upper, exact.hidden(sequences), strict=True):
        torch.testing.assert_close(halves, whole)


def test_states_do_not_depend_on_the_company(exact: Trunk) -> None:
    sequences = exact.tokenize(TEXTS)
    together = exact.hidden(sequences[::-1])[::-1]
    for ids, states in zip(sequences, together, strict=True):
        torch.testing.assert_close(exact.hidden([ids])[0], states, rtol=0, atol=1e-4)


def test_no_texts_give_no_states(exact: Trunk) -> None:
    assert exact.hidden([]) == []


def test_a_long_text_is_cut_at_the_longest_that_fits(exact: Trunk) -> None:
    [ids] = exact.tokenize(["word " * 1000])
    assert len(ids) == 512
    assert exact.hidden([ids], last=1)[0].shape == (512, 384)


@pytest.mark.parametrize("length", [0, 513])
def test_a_sequence_of_impossible_length_is_refused(exact: Trunk, length: int) -> None:
    with pytest.raises(BadInput):
        exact.hidden([[5] * length])


@pytest.mark.parametrize("lengths", [[7, 500, 3, 512, 7, 90, 1, 2000], [200] * 32, [512], [], list(range(1, 300))])
def test_groups_hold_every_text_once_and_are_of_about_one_size(lengths: list[int]) -> None:
    found = groups(lengths, workers=2, tokens=600)
    assert sorted(i for group in found for i in group) == list(range(len(lengths)))
    sizes = [sum(lengths[i] for i in group) for group in found]
    assert all(size <= 600 + max(lengths) for size in sizes)
    assert len(lengths) < 2 or len(found) >= 2
    assert all(abs(size - sum(sizes) / len(sizes)) <= max(lengths) for size in sizes)


def test_padded_attention_is_the_same_as_text_by_text() -> None:
    lengths = [5, 5, 3, 1]
    qkv = torch.randn(sum(lengths), 3 * 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layers.attention(qkv, lengths, heads=2), layers._padded_attention(qkv, lengths, heads=2))


@BYTES
def test_8_bits_stay_within_a_cosine_of_999_thousandths(folder: Path, exact: Trunk) -> None:
    eight = Trunk.load(folder, precision="int8")
    sequences = exact.tokenize(TEXTS)
    cosines = (means(eight.hidden(sequences)) * means(exact.hidden(sequences))).sum(dim=1)
    assert cosines.mean() >= 0.999
    assert cosines.min() >= 0.998
    assert eight.fingerprint == exact.fingerprint


@BYTES
def test_auto_goes_back_to_float32_where_8_bits_do_not_fit(
    folder: Path, trunk: Trunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trunk.precision == "int8"
    monkeypatch.setattr("models.trunk.FAITHFUL", 1.1)
    assert Trunk.load(folder).precision == "float32"


@BYTES
def test_the_ranges_that_come_along_are_those_that_would_be_found(models_home: Path, tmp_path: Path) -> None:
    train_ranges(models_home, tmp_path)
    for kept, made in ((RANGES, "calibration"), (BUNDLED / NAME, "reader")):
        with safe_open(kept, "pt") as one, safe_open(tmp_path / made / NAME, "pt") as other:
            assert one.metadata() == other.metadata(), f"{kept} is of other weights: run `passerine train ranges`"
            for name in one.keys():  # noqa: SIM118 - not a dict
                torch.testing.assert_close(one.get_tensor(name), other.get_tensor(name), rtol=1e-3, atol=1e-3)


@BYTES
@pytest.mark.parametrize("spoilt", ["absent", "cut", "of other weights"])
def test_without_fitting_ranges_they_are_found_anew(
    folder: Path, trunk: Trunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    path = tmp_path / NAME
    if spoilt == "cut":
        path.write_bytes(RANGES.read_bytes()[:1000])
    elif spoilt == "of other weights":
        save_ranges(path, read_ranges(RANGES, trunk.fingerprint, trunk.layers), "0" * 64)
    assert read_ranges(path, trunk.fingerprint, trunk.layers) == []
    monkeypatch.setattr("models.trunk.RANGES", path)
    again = Trunk.load(folder)
    sequences = trunk.tokenize(TEXTS)
    assert again.precision == "int8"
    # Found on another processor they differ by 3e-5, which moves single roundings: the cosine was .9998 then, and that
    # of either trunk with float32 .9997.
    assert (means(again.hidden(sequences)) * means(trunk.hidden(sequences))).sum(dim=1).min() > 0.9995


def test_bfloat16_is_close(folder: Path, exact: Trunk) -> None:
    half = Trunk.load(folder, precision="bfloat16")
    sequences = exact.tokenize(TEXTS[:2])
    assert (means(half.hidden(sequences)) * means(exact.hidden(sequences))).sum(dim=1).min() >= 0.9995


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(BadInput, match="precision"):
        precision.resolve("int4", torch.device("cpu"))


def test_a_folder_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelDamaged):
        Trunk.load(tmp_path)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(BadInput, match="BERT"):
        Trunk.load(tmp_path)
