"""Reads a Llama-architecture GGUF file into the tensors and the fast tokenizer of `transformers`.

Written out here because the general loader takes 16 seconds and leaves out that this model's tokenizer splits
digits one by one (the file says so: `tokenizer.ggml.pre = smollm`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexing.types import ModelDamaged

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LAYER_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
CONTROL = 3
"""Token type of special tokens in GGUF."""


class GgufFile:
    """An open GGUF file of a Llama model with tied embeddings."""

    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        try:
            self.reader = GGUFReader(path)
        except (ValueError, IndexError) as error:
            raise ModelDamaged(f"{path.name} is not a readable GGUF file.", "Install the model again.") from error
        architecture = self.field("general.architecture")
        if architecture != "llama":
            raise ModelDamaged(f"{path.name} holds a {architecture} model, not a Llama one.", "Name another file.")

    def field(self, name: str) -> Any:
        """The value of one metadata field."""
        return self.reader.fields[name].contents()

    def config(self) -> dict[str, Any]:
        """Fields of a `LlamaConfig`."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.field("llama.embedding_length"),
            "intermediate_size": self.field("llama.feed_forward_length"),
            "num_hidden_layers": self.field("llama.block_count"),
            "num_attention_heads": self.field("llama.attention.head_count"),
            "num_key_value_heads": self.field("llama.attention.head_count_kv"),
            "max_position_embeddings": self.field("llama.context_length"),
            "vocab_size": self.field("llama.vocab_size"),
            "rms_norm_eps": round(self.field("llama.attention.layer_norm_rms_epsilon"), 12),
            "rope_theta": self.field("llama.rope.freq_base"),
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "bos_token_id": self.field("tokenizer.ggml.bos_token_id"),
            "eos_token_id": self.field("tokenizer.ggml.eos_token_id"),
            "pad_token_id": self.field("tokenizer.ggml.padding_token_id"),
            "dtype": "bfloat16",
        }

    def tensors(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Name in `LlamaForCausalLM` and float32 values, one tensor at a time."""
        from gguf.quants import dequantize

        heads = {
            "attn_q": self.field("llama.attention.head_count"),
            "attn_k": self.field("llama.attention.head_count_kv"),
        }
        for tensor in self.reader.tensors:
            values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            values = values.reshape(tuple(int(size) for size in reversed(tensor.shape)))
            part = tensor.name.split(".")[-2]
            if part in heads:
                values = _unpermute(values, heads[part])
            yield _full_name(tensor.name), values

    def tokenizer(self) -> "Tokenizer":
        """Byte-level BPE that splits digits one by one."""
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

        tokens = self.field("tokenizer.ggml.tokens")
        merges = [tuple(merge.split(" ")) for merge in self.field("tokenizer.ggml.merges")]
        vocabulary = {token: number for number, token in enumerate(tokens)}
        result = Tokenizer(models.BPE(vocabulary, merges))
        result.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        result.decoder = decoders.ByteLevel()
        result.post_processor = processors.ByteLevel(trim_offsets=True)
        types = self.field("tokenizer.ggml.token_type")
        special = [token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL]
        result.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
        return result


def _full_name(name: str) -> str:
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{LAYER_NAMES[part]}.{kind}"


def _unpermute(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of a rotary projection: pairs side by side, as GGUF has them -> first and second halves of a head."""
    rows, columns = weights.shape
    paired = weights.reshape(heads, rows // heads // 2, 2, columns)
    return np.ascontiguousarray(paired.swapaxes(1, 2)).reshape(rows, columns)
