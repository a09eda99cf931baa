"""Reads the packed 4-bit file of multilingual-e5-small into plain tensors and a fast tokenizer.

The file (magic E5S1) holds a header, a unigram vocabulary with scores, a character normalisation map and a
directory of tensors. Matrices are stored in Q4_0 blocks of 32 weights: a 16-bit scale and 16 bytes, byte j
holding weights j (low half) and j + 16 (high half), each weight = (nibble - 8) * scale.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.types import ModelDamaged

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HEADER = struct.Struct("<4sIiiiiiiifi")
VOCABULARY = struct.Struct("<iiiiiQ")
TENSOR = struct.Struct("<BIQQ")
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
BLOCK_SIZE = 32
KEPT = "\N{FULLWIDTH TILDE}"
"""The one character that compatibility normalisation would change and the model's own map keeps."""
PLACEHOLDER = "\ufdd0"
"""A code point reserved by Unicode for internal use; stands for KEPT while the rest is normalised."""

LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The header's sizes."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class E5File:
    """The parsed file. `pieces` holds (piece, score) by token id; `norm` maps code point -> its replacement."""

    shape: Shape
    pieces: list[tuple[str, float]]
    norm: dict[int, str]
    tensors: dict[str, NDArray[np.float32]]


def read(path: Path) -> E5File:
    """Parse the file. Raises ModelDamaged when it is not one, or cut short."""
    data = path.read_bytes()
    try:
        return _parse(data)
    except (struct.error, ValueError, KeyError) as error:
        raise ModelDamaged(
            f"{path.name} is not a readable model file ({error}).", "Install the model again."
        ) from error


def _parse(data: bytes) -> E5File:
    magic, version, hidden, layers, heads, ff, vocabulary, positions, types, epsilon, block = HEADER.unpack_from(data)
    if (magic, version, block) != (b"E5S1", 1, BLOCK_SIZE):
        raise ValueError("unknown magic, version or block size")
    shape = Shape(hidden, layers, heads, ff, vocabulary, positions, types, round(epsilon, 15))
    position = HEADER.size
    pieces, position = _pieces(data, position)
    norm, position = _norm(data, position)
    tensors = {name: tensor.reshape(_dims(name, shape)) for name, tensor in _tensors(data, position)}
    return E5File(shape, pieces, norm, tensors)


def _pieces(data: bytes, position: int) -> tuple[list[tuple[str, float]], int]:
    count, *special, length = VOCABULARY.unpack_from(data, position)
    if special != [0, 2, 1, 3]:
        raise ValueError("special tokens are not <s> 0, </s> 2, <pad> 1, <unk> 3")
    position += VOCABULARY.size
    offsets = np.frombuffer(data, "<u4", count + 1, position).tolist()
    position += 4 * (count + 1)
    scores = np.frombuffer(data, "<f4", count, position).tolist()
    position += 4 * count
    blob = data[position : position + length]
    pieces = [(blob[a:b].decode("utf-8"), score) for (a, b), score in zip(pairwise(offsets), scores, strict=True)]
    return pieces, position + length


def _norm(data: bytes, position: int) -> tuple[dict[int, str], int]:
    count, length = struct.unpack_from("<iI", data, position)
    position += 8
    end = position + length
    norm = {}
    for _ in range(count):
        code, outputs = struct.unpack_from("<IB", data, position)
        replacement = struct.unpack_from(f"<{outputs}I", data, position + 5)
        norm[code] = "".join(map(chr, replacement))
        position += 5 + 4 * outputs
    return norm, end


def _tensors(data: bytes, position: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    (count,) = struct.unpack_from("<i", data, position)
    position += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, position)
        name = data[position + 2 : position + 2 + length].decode("ascii")
        position += 2 + length
        kind, elements, offset, size = TENSOR.unpack_from(data, position)
        position += TENSOR.size
        if kind == 0:
            values = np.frombuffer(data, "<f4", elements, offset).astype(np.float32)
        else:
            values = dequantise(np.frombuffer(data, BLOCK, size // BLOCK.itemsize, offset))
        yield _full_name(name), values


def dequantise(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """Q4_0 blocks [n] -> float32 [n * 32], exactly."""
    nibbles = blocks["nibbles"]
    weights = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8
    return (weights * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def _full_name(name: str) -> str:
    """The file's short name -> the name in transformers' BertModel."""
    if name in EMBEDDING_NAMES:
        return EMBEDDING_NAMES[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{int(layer[1:])}.{LAYER_NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"


def _dims(name: str, shape: Shape) -> tuple[int, ...]:
    if name.endswith(".bias") or "LayerNorm" in name:
        return (-1,)
    if "intermediate" in name:
        return (shape.intermediate, shape.hidden)
    if "output.dense" in name and "attention" not in name:
        return (shape.hidden, shape.intermediate)
    return (-1, shape.hidden)


def tokenizer(file: E5File) -> "Tokenizer":
    """The XLM-RoBERTa tokenizer of the file: `<s> pieces </s>`, unknown characters as <unk>.

    The file's map is SentencePiece's nmt_nfkc, one code point at a time. The same rules exist in `tokenizers`,
    where they also compose letters with their accents, as SentencePiece does; they are checked against the map.
    Raises ModelDamaged when they disagree.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    result = Tokenizer(models.Unigram(file.pieces, unk_id=3, byte_fallback=False))
    characters = normalizers.Sequence(
        [
            normalizers.Replace(KEPT, PLACEHOLDER),
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Replace(PLACEHOLDER, KEPT),
        ]
    )
    wrong = [code for code, text in file.norm.items() if characters.normalize_str(chr(code)) != text]
    if wrong:
        raise ModelDamaged(
            f"The normalisation map disagrees at U+{wrong[0]:04X} and {len(wrong) - 1} other code points.",
            "Install another version of the tokenizers package.",
        )
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    result.normalizer = normalizers.Sequence([characters, spaces])
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    result.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    result.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    result.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    result.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return result
