"""Read a Hugging Face checkpoint folder with the standard library and numpy: JSON files and memory-mapped tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import InputError

if TYPE_CHECKING:
    import numpy as np

ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM")
CONVERT_ELSEWHERE = "Convert it with llama.cpp's own convert_hf_to_gguf.py and name the .gguf file."
_SIZES = ("hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size")


def read_json(path: Path, *, required: bool = False) -> dict[str, Any]:
    """Return the JSON object in `path`; where it may be missing and is, an empty one.

    Raises:
        InputError: not there though required, not readable, or no object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise InputError(f"the checkpoint has no {path.name}", place=path.parent, mend=_mend_missing(path)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"not readable as JSON: {error}", place=path, mend="Save the checkpoint again.") from None
    if not isinstance(data, dict):
        raise InputError("holds no JSON object", place=path, mend="Save the checkpoint again.")
    return data


def _mend_missing(path: Path) -> str:
    if (path.parent / "adapter_config.json").exists():
        return "This is a LoRA adapter: merge it first (`axolotl merge-lora`) and name the merged folder."
    if path.name == "tokenizer.json":
        return "Save the tokenizer beside the weights: AutoTokenizer.from_pretrained(BASE).save_pretrained(FOLDER)."
    return "Name the folder that save_pretrained wrote."


def read_config(checkpoint: Path) -> dict[str, Any]:
    """Return config.json with generation_config.json's token ids over it and the defaults for heads filled in.

    Raises:
        InputError: not there, incomplete, or of another architecture.
    """
    config = read_json(checkpoint / "config.json", required=True)
    named = config.get("architectures") or [config.get("model_type")]
    problem = ""
    if not set(named) & {*ARCHITECTURES, "llama", "mistral"}:
        problem = f"{named[0]} is not of the Llama family"
    elif config.get("sliding_window"):
        problem = "the model attends through sliding windows"
    elif missing := [key for key in _SIZES if not isinstance(config.get(key), int)]:
        problem = f"lacks {', '.join(missing)}"
    if problem:
        raise InputError(problem, place=checkpoint / "config.json", mend=CONVERT_ELSEWHERE)
    generation = read_json(checkpoint / "generation_config.json")
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if generation.get(key) is not None:
            config[key] = generation[key]
    config["num_key_value_heads"] = config.get("num_key_value_heads") or config["num_attention_heads"]
    config["head_dim"] = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return config


def open_tensors(checkpoint: Path) -> dict[str, np.ndarray]:
    """Map all tensors of a checkpoint by name; bfloat16 tensors come as their raw 16 bits in a uint16 array.

    Raises:
        InputError: there are none, or a file is cut short.
    """
    tensors: dict[str, np.ndarray] = {}
    for path in sorted(checkpoint.glob("*.safetensors")):
        tensors.update(_map_safetensors(path))
    if not tensors:
        raise InputError(
            "the checkpoint has no *.safetensors", place=checkpoint, mend="Save it with safe_serialization."
        )
    return tensors


def _map_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Map a safetensors file's tensors without reading them; bfloat16 stays as its raw 16 bits.

    numpy has no bfloat16, so `safetensors.numpy` cannot read what most trainers save. The format: the header's length
    in 8 bytes, a JSON header, the data (github.com/huggingface/safetensors, "Format").
    """
    import numpy as np

    types = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
    try:
        data = np.memmap(path, np.uint8, "r")
        start = 8 + int.from_bytes(data[:8].tobytes(), "little")
        header = json.loads(data[8:start].tobytes())
        header.pop("__metadata__", None)
        tensors = {}
        for name, entry in header.items():
            begin, end = (start + offset for offset in entry["data_offsets"])
            tensors[name] = data[begin:end].view(types[entry["dtype"]]).reshape(entry["shape"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = f"not a readable safetensors file: {type(error).__name__}: {error}"[:300]
        raise InputError(problem, place=path, mend="It may be cut short: copy or save the checkpoint again.") from None
    return tensors
