"""The base model's checkpoint before and after Axolotl pretrains it; run by the trainer's interpreter.

python base.py init FOLDER              # tokenizer, chat template and seeded random weights
python base.py finish TRAINED FOLDER    # what is committed: bfloat16 weights and the files that serving reads
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SEED = 1
SPECIALS = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
PAD, END = 0, 1
# Qwen 2's way to split text: digits stand alone, words keep the blank before them. llama.cpp knows it by name.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS = "The answer is (1)"
"""All words of the worked sums: the merges make each of them one token."""
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer that splits digits and knows the words of a worked sum."""
    inner = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    inner.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator([WORDS], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=SPECIALS[END],
        pad_token=SPECIALS[PAD],
        additional_special_tokens=SPECIALS[2:],
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )


def init(folder: Path) -> None:
    """Write a Llama of 1.1 million random parameters, the same for the same seed."""
    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.06,  # Llama's 0.02 is for wide models: here it doubles the steps before arithmetic is learned
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    torch.manual_seed(SEED)
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)


def finish(trained: Path, folder: Path) -> None:
    """Write the trained model in bfloat16 with greedy generation as its default."""
    model = AutoModelForCausalLM.from_pretrained(trained, dtype=torch.bfloat16)
    model.config.use_cache = True
    model.generation_config.do_sample = False
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    _set(folder / "config.json", transformers_version=None)
    _set(folder / "generation_config.json", transformers_version=None)
    _set(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")  # older libraries read it, too


def _set(path: Path, **changes: str | None) -> None:
    """Change keys of a JSON file; None takes one out."""
    settings = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {key: value for key, value in settings.items() if key not in changes or value is not None}
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    {"init": init, "finish": finish}[command](*map(Path, paths))
