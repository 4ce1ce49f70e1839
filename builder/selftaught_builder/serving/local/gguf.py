"""Turn a Hugging Face checkpoint of the Llama family into GGUF, the format that llama.cpp serves.

Only `gguf` and numpy are needed: safetensors files are memory-mapped and go through one tensor at a time, so that a
checkpoint never has to fit into memory. What cannot be carried over faithfully (another architecture, an unknown
pre-tokenizer or RoPE scaling) is refused. The same checkpoint gives the same bytes, however it is sharded.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import EndpointError, InputError
from selftaught_builder.serving.local.checkpoint import CONVERT_ELSEWHERE, open_tensors, read_config
from selftaught_builder.serving.local.tokenizer import add_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFWriter

_Config = Mapping[str, Any]
_Tensors = Mapping[str, "np.ndarray"]

CONVERTER = 1
"""Changes whenever the same checkpoint would give other bytes; part of the cache's file names."""

DTYPES = ("f16", "f32", "q8_0")
_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def convert_llama(checkpoint: Path, out: Path, dtype: str = "f16") -> Path:
    """Write the checkpoint in the folder `checkpoint` as the GGUF file `out` and return `out`.

    `out` appears whole or not at all.

    Args:
        checkpoint: a folder with config.json, tokenizer.json and *.safetensors (one file or shards).
        out: the file to write; its folder must exist.
        dtype: how matrices are stored: `f16`, `f32` or `q8_0`. Vectors are always f32.

    Raises:
        InputError: the checkpoint is incomplete or cannot be carried over faithfully.
        EndpointError: the `gguf` package is not installed.
    """
    if dtype not in DTYPES:
        raise InputError(f"unknown GGUF type {dtype!r}", mend=f"Known types: {', '.join(DTYPES)}.")
    try:
        from gguf import GGUFWriter
    except ImportError:
        raise EndpointError("gguf is not installed", mend="pip install 'selftaught[local]'") from None
    config = read_config(checkpoint)
    tensors = open_tensors(checkpoint)
    names = _tensor_names(config, tensors, checkpoint)
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    writer = GGUFWriter(partial, "llama")
    try:
        _add_hyperparameters(writer, config, dtype, checkpoint)
        add_tokenizer(writer, config, checkpoint)
        _write_tensors(writer, config, names, tensors, dtype)
        writer.close()
        os.replace(partial, out)
    finally:
        with suppress(OSError):
            writer.close()
        partial.unlink(missing_ok=True)
    return out


def _tensor_names(config: _Config, tensors: _Tensors, place: Path) -> dict[str, str]:
    """Map checkpoint names to GGUF names in a fixed order; refuse a checkpoint with tensors missing or left over."""
    names = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if not config.get("tie_word_embeddings"):
        names["lm_head.weight"] = "output.weight"
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours in _LAYER.items():
            names[f"model.layers.{layer}.{theirs}.weight"] = f"blk.{layer}.{ours}.weight"
            if f"model.layers.{layer}.{theirs}.bias" in tensors:
                names[f"model.layers.{layer}.{theirs}.bias"] = f"blk.{layer}.{ours}.bias"
    missing = [name for name in names if name not in tensors]
    if missing:
        problem = f"the checkpoint lacks {len(missing)} tensors, the first is {missing[0]}"
        raise InputError(problem, place=place, mend="Copy every shard, or save the checkpoint again.")
    odd = [name for name in tensors if name not in names and name != "lm_head.weight" and "rotary_emb" not in name]
    if odd:
        raise InputError(f"a Llama has no tensor named {odd[0]}", place=place, mend=CONVERT_ELSEWHERE)
    return names


def _add_hyperparameters(writer: GGUFWriter, config: _Config, dtype: str, place: Path) -> None:
    from gguf import LlamaFileType, RopeScalingType

    kinds = {"f16": LlamaFileType.MOSTLY_F16, "f32": LlamaFileType.ALL_F32, "q8_0": LlamaFileType.MOSTLY_Q8_0}
    writer.add_file_type(kinds[dtype])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config.get("max_position_embeddings", 2048))
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(config.get("rms_norm_eps", 1e-6))
    writer.add_vocab_size(config["vocab_size"])
    rope = _rope(config)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))
    elif rope["rope_type"] not in ("default", "llama3"):
        raise InputError(
            f"unknown RoPE scaling {rope['rope_type']!r}", place=place / "config.json", mend=CONVERT_ELSEWHERE
        )


def _rope(config: _Config) -> dict[str, Any]:
    """Return the RoPE parameters from either place: `rope_parameters` (transformers 5), or `rope_theta` and scaling."""
    rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    rope.setdefault("rope_theta", config.get("rope_theta") or 10000.0)
    rope["rope_type"] = rope.get("rope_type") or rope.get("type") or "default"
    return rope


def _rope_factors(rope: Mapping[str, Any], dimensions: int) -> np.ndarray:
    """Return by how much each frequency is slowed: Llama 3.1's scaling (transformers, modeling_rope_utils)."""
    import numpy as np

    low, high, factor = (float(rope[key]) for key in ("low_freq_factor", "high_freq_factor", "factor"))
    frequencies = float(rope["rope_theta"]) ** -(np.arange(0, dimensions, 2) / dimensions)
    turns = float(rope["original_max_position_embeddings"]) * frequencies / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)


def _write_tensors(
    writer: GGUFWriter, config: _Config, names: Mapping[str, str], tensors: _Tensors, dtype: str
) -> None:
    """Announce all tensors, then convert and write them one by one."""
    import numpy as np
    from gguf import GGMLQuantizationType as Type
    from gguf.quants import quant_shape_to_byte_shape, quantize

    wide = {"f16": Type.F16, "f32": Type.F32, "q8_0": Type.Q8_0}[dtype]
    kinds: dict[str, Type] = {}
    for name, new in names.items():
        shape = tensors[name].shape
        kind = wide if len(shape) == 2 else Type.F32
        kinds[name] = kind = Type.F16 if kind is Type.Q8_0 and shape[-1] % 32 else kind
        size = math.prod(quant_shape_to_byte_shape(shape, kind))
        writer.add_tensor_info(new, shape, np.dtype(np.float32), size, raw_dtype=kind)
    rope, factors = _rope(config), None
    if rope["rope_type"] == "llama3":
        factors = _rope_factors(rope, config["head_dim"])
        writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, kind in kinds.items():
        writer.write_tensor_data(quantize(_prepare(name, tensors[name], config), kind))
    if factors is not None:
        writer.write_tensor_data(factors)


def _prepare(name: str, tensor: np.ndarray, config: _Config) -> np.ndarray:
    """Widen to float32, and interleave the rotary halves of queries and keys as llama.cpp rotates them."""
    import numpy as np

    if tensor.dtype == np.uint16:
        tensor = (tensor.astype(np.uint32) << 16).view(np.float32)
    tensor = np.ascontiguousarray(tensor, np.float32)
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(name.split(".")[-2])
    if heads is None:
        return tensor
    halves = tensor.reshape(config[heads], 2, config["head_dim"] // 2, *tensor.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(tensor.shape))
