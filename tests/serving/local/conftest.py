"""A tiny random Llama checkpoint with a byte-level BPE tokenizer, written with numpy and safetensors alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

MERGES = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("1", "2")]
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)


def byte_alphabet() -> list[str]:
    """The 256 printable stand-ins for bytes of GPT-2's byte-level BPE."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [value for value in range(256) if value not in plain]
    table = {value: chr(value) for value in plain} | {value: chr(256 + index) for index, value in enumerate(rest)}
    return [table[value] for value in range(256)]


def tokenizer_json(**changes: Any) -> dict[str, Any]:
    vocabulary = SPECIALS + byte_alphabet() + ["".join(merge) for merge in MERGES]
    digits = {"type": "Digits", "individual_digits": True}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "added_tokens": [{"id": index, "content": text, "special": True} for index, text in enumerate(SPECIALS)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, level]},
        "post_processor": None,
        "model": {
            "type": "BPE",
            "ignore_merges": False,
            "byte_fallback": False,
            "vocab": {text: index for index, text in enumerate(vocabulary)},
            "merges": [list(merge) for merge in MERGES],
        },
        **changes,
    }


def config_json(**changes: Any) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 320,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        **changes,
    }


def weights(config: dict[str, Any], *, bias: bool = False, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights, wide enough that the next token is rarely a near tie."""
    random = np.random.default_rng(seed)
    width, inner, head = config["hidden_size"], config["intermediate_size"], 16
    keys = config["num_key_value_heads"] * head

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * 1.5 / columns**0.5).astype(np.float32)

    out = {"model.embed_tokens.weight": matrix(config["vocab_size"], width) * 4}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        out |= {
            f"{at}self_attn.{name}.weight": matrix(rows, columns)
            for name, rows, columns in (
                ("q_proj", width, width),
                ("k_proj", keys, width),
                ("v_proj", keys, width),
                ("o_proj", width, width),
            )
        }
        out |= {
            f"{at}mlp.{name}.weight": matrix(rows, columns)
            for name, rows, columns in (
                ("gate_proj", inner, width),
                ("up_proj", inner, width),
                ("down_proj", width, inner),
            )
        }
        for name in ("input_layernorm", "post_attention_layernorm"):
            out[f"{at}{name}.weight"] = 1 + matrix(1, width)[0]
        if bias:
            out |= {
                f"{at}self_attn.{name}.bias": matrix(1, rows)[0] * 3
                for name, rows in (("q_proj", width), ("k_proj", keys), ("v_proj", keys), ("o_proj", width))
            }
    out["model.norm.weight"] = 1 + matrix(1, width)[0]
    if not config["tie_word_embeddings"]:
        out["lm_head.weight"] = matrix(config["vocab_size"], width)
    return out


def write_checkpoint(
    folder: Path,
    *,
    tensors: dict[str, np.ndarray] | None = None,
    config: dict[str, Any] | None = None,
    tokenizer: dict[str, Any] | None = None,
    shards: int = 1,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = config or config_json()
    tensors = tensors or weights(config)
    names = sorted(tensors)
    for shard in range(shards):
        save_file({name: tensors[name] for name in names[shard::shards]}, folder / f"model-{shard:05}.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer or tokenizer_json()))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>", "chat_template": TEMPLATE}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 2]}))
    return folder


class Tiny:
    """What the tests build checkpoints with."""

    config = staticmethod(config_json)
    tokenizer = staticmethod(tokenizer_json)
    weights = staticmethod(weights)
    write = staticmethod(write_checkpoint)
    vocabulary = SPECIALS + byte_alphabet() + ["".join(merge) for merge in MERGES]


@pytest.fixture
def tiny() -> type[Tiny]:
    return Tiny


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny")


@pytest.fixture
def post() -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """Send one JSON request and return the JSON reply."""
    import urllib.request

    def send(url: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)

    return send
