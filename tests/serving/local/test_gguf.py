from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.errors import InputError
from selftaught_builder.serving.local import LlamaServer, resolve_model
from selftaught_builder.serving.local.gguf import convert_llama
from selftaught_builder.serving.local.tokenizer import pre_tokenizer_type

pytest.importorskip("gguf", reason="needs the `local` extra")

LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
PROMPT = "the thing in the 12 bin: the"
# Worked out by hand: digits apart, then words, then the five merges in order.
PIECES = ["t", "he", "Ġt", "h", "in", "g", "Ġ", "in", "Ġthe", "Ġ", "1", "2", "Ġ", "b", "in", ":", "Ġthe"]


def reference_logits(tensors: dict[str, np.ndarray], config: dict[str, Any], ids: list[int]) -> np.ndarray:
    """Logits after `ids` by the Llama equations in Hugging Face's layout (rotary halves), in float64."""
    get = {name: value.astype(np.float64) for name, value in tensors.items()}
    heads, groups, size = config["num_attention_heads"], config["num_key_value_heads"], 16
    x = get["model.embed_tokens.weight"][ids]
    angles = np.outer(np.arange(len(ids)), inverse_frequencies(config, size))
    cos, sin = (np.concatenate([f(angles), f(angles)], 1)[:, None, :] for f in (np.cos, np.sin))
    mask = np.triu(np.full((len(ids), len(ids)), -np.inf), 1)

    def norm(value: np.ndarray, weight: str) -> np.ndarray:
        return value / np.sqrt((value**2).mean(-1, keepdims=True) + config["rms_norm_eps"]) * get[weight]

    def rotate(value: np.ndarray) -> np.ndarray:
        half = np.concatenate([-value[..., size // 2 :], value[..., : size // 2]], -1)
        return value * cos + half * sin

    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."

        def linear(value: np.ndarray, name: str, at: str = at) -> np.ndarray:
            return value @ get[f"{at}{name}.weight"].T + get.get(f"{at}{name}.bias", np.float64(0))

        h = norm(x, f"{at}input_layernorm.weight")
        q = rotate(linear(h, "self_attn.q_proj").reshape(len(ids), heads, size))
        k, v = (linear(h, f"self_attn.{n}_proj").reshape(len(ids), groups, size) for n in "kv")
        k, v = (np.repeat(value, heads // groups, 1) for value in (rotate(k), v))
        scores = np.einsum("ihd,jhd->hij", q, k) / size**0.5 + mask
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.einsum("hij,jhd->ihd", scores / scores.sum(-1, keepdims=True), v)
        x = x + linear(mixed.reshape(len(ids), -1), "self_attn.o_proj")
        h = norm(x, f"{at}post_attention_layernorm.weight")
        gate = linear(h, "mlp.gate_proj")
        x = x + linear(gate / (1 + np.exp(-gate)) * linear(h, "mlp.up_proj"), "mlp.down_proj")
    head = get.get("lm_head.weight", get["model.embed_tokens.weight"])
    return norm(x, "model.norm.weight")[-1] @ head.T


def inverse_frequencies(config: dict[str, Any], size: int) -> np.ndarray:
    """RoPE's inverse frequencies with Llama 3.1's scaling, branch by branch as Meta published it."""
    rope = config.get("rope_parameters") or {"rope_theta": config["rope_theta"]}
    plain = rope["rope_theta"] ** -(np.arange(0, size, 2) / size)
    if rope.get("rope_type") != "llama3":
        return plain
    out = []
    for frequency in plain:
        wavelength = 2 * np.pi / frequency
        ratio = rope["original_max_position_embeddings"] / wavelength
        if ratio > rope["high_freq_factor"]:
            out.append(frequency)
        elif ratio < rope["low_freq_factor"]:
            out.append(frequency / rope["factor"])
        else:
            smooth = (ratio - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            out.append((1 - smooth) * frequency / rope["factor"] + smooth * frequency)
    return np.array(out)


@pytest.mark.parametrize(
    ("changes", "bias", "stored"),
    [
        ({}, False, "F32"),
        ({"tie_word_embeddings": False}, False, "F32"),
        ({"rope_parameters": None, "rope_theta": 500.0}, False, "BF16"),
        ({"rope_parameters": LLAMA3}, False, "F16"),
        ({"attention_bias": True}, True, "F32"),
    ],
    ids=["tied", "untied", "old-theta-bf16", "llama3-rope-f16", "bias"],
)  # fmt: skip
def test_served_logprobs_are_those_of_the_checkpoint(
    tmp_path: Path, tiny: Any, post: Callable, changes: dict[str, Any], bias: bool, stored: str
) -> None:
    pytest.importorskip("xllamacpp", reason="needs the `local` extra")
    config = tiny.config(**changes)
    tensors = tiny.weights(config, bias=bias)
    folder = tiny.write(tmp_path / "checkpoint", tensors=tensors, config=config)
    if stored == "BF16":
        tensors = write_bf16(folder, tensors)
    elif stored == "F16":
        tensors = {name: value.astype(np.float16) for name, value in tensors.items()}
        tiny.write(folder, tensors=tensors, config=config)
    gguf = convert_llama(folder, tmp_path / "model.gguf", "f32")
    body = {"prompt": PROMPT, "max_tokens": 1, "temperature": 0, "logprobs": 5, "seed": 1}
    with LlamaServer(resolve_model(str(gguf)), slots=1, context=128) as server:
        tokens = post(f"{server.base_url.removesuffix('/v1')}/tokenize", {"content": PROMPT})["tokens"]
        top = post(f"{server.base_url}/completions", body)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    assert tokens == [tiny.vocabulary.index(piece) for piece in PIECES]
    logits = reference_logits(tensors, config, tokens)
    expected = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
    assert [entry["id"] for entry in top[:3]] == np.argsort(-expected)[:3].tolist()
    assert np.allclose([entry["logprob"] for entry in top], [expected[entry["id"]] for entry in top], atol=0.05)


def write_bf16(folder: Path, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Write the tensors as bfloat16, byte by byte, and return the values it holds."""
    for file in folder.glob("*.safetensors"):
        file.unlink()
    header, blobs, at = {}, [], 0
    for name, value in tensors.items():
        blob = (np.ascontiguousarray(value).view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": value.shape, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))
    return {name: (value.view(np.uint32) >> 16 << 16).view(np.float32) for name, value in tensors.items()}


def test_sharded_and_repeated_conversions_give_the_same_bytes(tmp_path: Path, tiny: Any) -> None:
    whole = convert_llama(tiny.write(tmp_path / "whole"), tmp_path / "a.gguf")
    again = convert_llama(tmp_path / "whole", tmp_path / "b.gguf")
    shards = convert_llama(tiny.write(tmp_path / "shards", shards=3), tmp_path / "c.gguf")
    assert whole.read_bytes() == again.read_bytes() == shards.read_bytes()
    assert {path.suffix for path in tmp_path.iterdir()} == {"", ".gguf"}


@pytest.mark.parametrize("dtype", ["f16", "q8_0"])
def test_metadata_and_chat_template(tmp_path: Path, checkpoint: Path, dtype: str) -> None:
    from gguf import GGUFReader

    (checkpoint / "chat_template.jinja").write_text("from a file: {{ messages }}")
    fields = GGUFReader(convert_llama(checkpoint, tmp_path / "model.gguf", dtype)).fields
    value = {name: field.contents() for name, field in fields.items() if name.startswith(("tokenizer.", "llama."))}
    assert value["tokenizer.ggml.pre"] == "smollm"
    assert value["tokenizer.ggml.eos_token_id"] == 2  # the tokenizer's own, though generation_config lists 0 first
    assert value["tokenizer.ggml.eot_token_id"] == 0
    assert value["tokenizer.ggml.add_bos_token"] is False
    assert value["tokenizer.chat_template"] == "from a file: {{ messages }}"
    assert value["llama.rope.freq_base"] == 10000.0
    assert len(value["tokenizer.ggml.tokens"]) == 320


def test_a_tokenizer_without_merges_is_served(tmp_path: Path, tiny: Any, post: Callable) -> None:
    pytest.importorskip("xllamacpp", reason="needs the `local` extra")
    tokenizer = tiny.tokenizer()
    tokenizer["model"]["merges"] = []
    gguf = convert_llama(tiny.write(tmp_path / "chars", tokenizer=tokenizer), tmp_path / "model.gguf")
    with LlamaServer(resolve_model(str(gguf)), slots=1, context=64) as server:
        reply = post(f"{server.base_url.removesuffix('/v1')}/tokenize", {"content": "the 12"})
    assert reply["tokens"] == [tiny.vocabulary.index(letter) for letter in "theĠ12"]


def spoil(checkpoint: Path, file: str, **changes: Any) -> None:
    path = checkpoint / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda c: spoil(c, "config.json", architectures=["GPT2LMHeadModel"], model_type="gpt2"), "GPT2LMHeadModel"),
        (lambda c: spoil(c, "config.json", rope_parameters={"rope_type": "yarn", "rope_theta": 1e4}), "yarn"),
        (lambda c: spoil(c, "config.json", num_hidden_layers=3), "model.layers.2"),
        (lambda c: spoil(c, "config.json", num_hidden_layers=1), "model.layers.1"),
        (lambda c: spoil(c, "config.json", vocab_size=100), "does not fit"),
        (lambda c: spoil(c, "config.json", hidden_size=None), "hidden_size"),
        (lambda c: spoil(c, "tokenizer.json", model={"type": "WordLevel", "vocab": {}}), "byte-level BPE"),
        (lambda c: spoil(c, "tokenizer.json", pre_tokenizer={"type": "Whitespace"}), "Whitespace"),
        (lambda c: spoil(c, "tokenizer.json", normalizer={"type": "Lowercase"}), "Lowercase"),
        (lambda c: (c / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda c: (c / "tokenizer.json").write_text("[" * 100_000), "JSON"),
        (lambda c: (c / "config.json").unlink(), "config.json"),
        (lambda c: next(c.glob("*.safetensors")).unlink(), "safetensors"),
        (lambda c: next(c.glob("*.safetensors")).write_bytes(b"\xff" * 100), "safetensors"),
        (lambda c: os.truncate(next(c.glob("*.safetensors")), 5000), "safetensors"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_refused_and_leaves_nothing(
    tmp_path: Path, checkpoint: Path, damage: Callable[[Path], object], named: str
) -> None:
    damage(checkpoint)
    with pytest.raises(InputError, match=named) as caught:
        convert_llama(checkpoint, tmp_path / "model.gguf")
    assert caught.value.mend
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_an_adapter_is_told_to_be_merged(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="merge"):
        convert_llama(tmp_path, tmp_path / "model.gguf")


def split(pattern: str, behavior: str = "Isolated", invert: bool = False) -> dict[str, Any]:
    regex = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}
    level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    return {"type": "Sequence", "pretokenizers": [regex, level]}


QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}


@pytest.mark.parametrize(
    ("pre_tokenizer", "ignore_merges", "name"),
    [
        (GPT2, False, "gpt-2"),
        (split(QWEN2), False, "qwen2"),
        (split(QWEN2, "Removed", True), False, "qwen2"),
        (split(QWEN2.replace(r"\p{N}| ", r"\p{N}{1,3}| ")), True, "llama-bpe"),
        (split(QWEN2.replace(r"\p{N}| ", r"\p{N}{1,3}| ")), False, "smaug-bpe"),
        (GPT2, True, None),
        (split(QWEN2, "Removed"), False, None),
        (split(r"\w+"), False, None),
        ({**GPT2, "add_prefix_space": True}, False, None),
        (None, False, None),
    ],
)
def test_pre_tokenizer_names(tiny: Any, pre_tokenizer: Any, ignore_merges: bool, name: str | None) -> None:
    tokenizer = tiny.tokenizer(pre_tokenizer=pre_tokenizer)
    tokenizer["model"]["ignore_merges"] = ignore_merges
    if name is None:
        with pytest.raises(InputError, match="pre-tokenizer"):
            pre_tokenizer_type(tokenizer)
    else:
        assert pre_tokenizer_type(tokenizer) == name


@given(st.lists(st.sampled_from(["ByteLevel", "Digits", "Split", "Metaspace"]), max_size=4), st.booleans())
def test_any_pre_tokenizer_is_named_or_refused(kinds: list[str], flag: bool) -> None:
    steps = [{"type": kind, "individual_digits": flag, "use_regex": flag} for kind in kinds]
    tokenizer = {"model": {"type": "BPE"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}}
    named = {True: {("ByteLevel",): "gpt-2", ("Digits", "ByteLevel"): "smollm"}}.get(flag, {}).get(tuple(kinds))
    if named:
        assert pre_tokenizer_type(tokenizer) == named
        return
    with pytest.raises(InputError, match="pre-tokenizer"):
        pre_tokenizer_type(tokenizer)
