"""SmolLM2-135M-Instruct, really served, and carried through our own conversion and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.serving.local import LlamaServer, default_slots, resolve_model
from selftaught_builder.serving.local.gguf import convert_llama
from selftaught_builder.serving.local.smollm2 import SMOLLM2, find_smollm2

gguf = pytest.importorskip("gguf", reason="needs the `local` extra")
pytest.importorskip("xllamacpp", reason="needs the `local` extra")
pytestmark = pytest.mark.model

QUESTIONS = [
    "Tom has 12 apples and buys 5 more. How many apples does he have?",
    "It's 2024-01-03; what's the capital of France?\n\n\tAnswer briefly, e.g. 'Rome'.",
]


@pytest.fixture
def smollm2() -> Path:
    try:
        return find_smollm2()
    except EndpointError as error:
        pytest.skip(str(error))


def unpack(source: Path, folder: Path) -> Path:
    """Undo the conversion: the GGUF's weights and tokenizer as a Hugging Face checkpoint."""
    reader = gguf.GGUFReader(source)
    value = {name: field.contents() for name, field in reader.fields.items()}
    heads, groups = value["llama.attention.head_count"], value["llama.attention.head_count_kv"]
    layer = {
        "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    }  # fmt: skip
    tensors = {}
    for tensor in reader.tensors:
        data = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        parts = tensor.name.split(".")
        if parts[0] != "blk":
            name = {"token_embd": "embed_tokens", "output_norm": "norm"}[parts[0]]
            tensors[f"model.{name}.weight"] = data
            continue
        rows = {"attn_q": heads, "attn_k": groups}.get(parts[2])
        if rows:
            data = data.reshape(rows, -1, 2, data.shape[1]).swapaxes(1, 2).reshape(data.shape)
        tensors[f"model.layers.{parts[1]}.{layer[parts[2]]}.weight"] = np.ascontiguousarray(data)
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config_of(value)))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_of(value)))
    settings = {"eos_token": "<|im_end|>", "chat_template": value["tokenizer.chat_template"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def config_of(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": value["llama.embedding_length"],
        "intermediate_size": value["llama.feed_forward_length"],
        "num_hidden_layers": value["llama.block_count"],
        "num_attention_heads": value["llama.attention.head_count"],
        "num_key_value_heads": value["llama.attention.head_count_kv"],
        "vocab_size": value["llama.vocab_size"],
        "max_position_embeddings": value["llama.context_length"],
        "rms_norm_eps": value["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": value["llama.rope.freq_base"],
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }


def tokenizer_of(value: dict[str, Any]) -> dict[str, Any]:
    tokens, kinds = value["tokenizer.ggml.tokens"], value["tokenizer.ggml.token_type"]
    control = [index for index, kind in enumerate(kinds) if kind == gguf.TokenType.CONTROL]
    steps = [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False}]
    return {
        "added_tokens": [{"id": index, "content": tokens[index], "special": True} for index in control],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "model": {
            "type": "BPE",
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": value["tokenizer.ggml.merges"],
        },
    }


def answers(path: Path, post: Callable) -> list[str]:
    """Greedy answers; one slot, one thread, so that the arithmetic is the same each time."""
    with LlamaServer(resolve_model(str(path)), slots=1, context=512, threads=1) as server:
        bodies = [
            {"messages": [{"role": "user", "content": question}], "max_tokens": 24, "temperature": 0}
            for question in QUESTIONS
        ]
        replies = [post(f"{server.base_url}/chat/completions", body) for body in bodies]
    return [reply["choices"][0]["message"]["content"] for reply in replies]


def test_smollm2_is_found_named_and_served(smollm2: Path, post: Callable) -> None:
    model = resolve_model(SMOLLM2)
    assert (model.gguf, model.name, default_slots(model.gguf)) == (smollm2, SMOLLM2, 8)
    with LlamaServer(model, slots=2, context=512) as server:
        body = {
            "messages": [{"role": "user", "content": QUESTIONS[0]}],
            "max_tokens": 16,
            "temperature": 0.7,
            "seed": 3,
        }
        first, again = (post(f"{server.base_url}/chat/completions", body) for _ in range(2))
    assert first["choices"] == again["choices"]
    assert first["model"] == SMOLLM2


def test_our_conversion_answers_like_the_published_file(smollm2: Path, tmp_path: Path, post: Callable) -> None:
    ours = convert_llama(unpack(smollm2, tmp_path / "checkpoint"), tmp_path / "ours.gguf", "f32")
    assert answers(ours, post) == answers(smollm2, post)
