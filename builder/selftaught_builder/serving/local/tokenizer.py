"""Carry a byte-level BPE tokenizer.json over into GGUF, or refuse it by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught_builder.common.errors import InputError
from selftaught_builder.serving.local.checkpoint import CONVERT_ELSEWHERE, read_json

if TYPE_CHECKING:
    from gguf import GGUFWriter

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
_PUNCTUATION = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
_GPT2 = "ByteLevel(use_regex)"
# How tokenizer.json splits text before the merges, and whether whole words bypass them, to llama.cpp's name for it
# (llama-vocab.cpp, llm_tokenizer_bpe and the tokenizer_pre names).
_PRE_TOKENIZERS: Mapping[tuple[tuple[str, ...], bool], str] = {
    ((_GPT2,), False): "gpt-2",
    (("Digits", _GPT2), False): "smollm",
    ((f"{_CONTRACTIONS}|\\p{{N}}{{1,3}}{_PUNCTUATION}",), True): "llama-bpe",
    ((f"{_CONTRACTIONS}|\\p{{N}}{{1,3}}{_PUNCTUATION}",), False): "smaug-bpe",
    ((f"{_CONTRACTIONS}|\\p{{N}}{_PUNCTUATION}",), False): "qwen2",
}


def add_tokenizer(writer: GGUFWriter, config: Mapping[str, Any], checkpoint: Path) -> None:
    """Write the checkpoint's vocabulary, merges, special tokens and chat template.

    Raises:
        InputError: no tokenizer.json, or one that llama.cpp cannot reproduce.
    """
    tokenizer = read_json(checkpoint / "tokenizer.json", required=True)
    settings = read_json(checkpoint / "tokenizer_config.json")
    tokens, kinds = _tokens(tokenizer, config["vocab_size"], checkpoint / "tokenizer.json")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer_type(tokenizer, checkpoint / "tokenizer.json"))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"].get("merges", [])]
    # llama.cpp insists on merges; a tokenizer without any (single characters) gets one that no text can trigger, as
    # neither side is in the byte alphabet.
    writer.add_token_merges(merges or ["\u2400 \u2400"])
    _add_special_tokens(writer, config, settings, tokens)
    writer.add_add_bos_token(_adds_bos(tokenizer, settings, config, tokens))
    template = checkpoint / "chat_template.jinja"
    text = template.read_text(encoding="utf-8") if template.is_file() else settings.get("chat_template")
    if isinstance(text, list):  # several named templates
        text = next((entry["template"] for entry in text if entry.get("name") == "default"), None)
    if text:
        writer.add_chat_template(text)


def _tokens(tokenizer: Mapping[str, Any], size: int, place: Path) -> tuple[list[str], list[int]]:
    """Return all token strings and llama.cpp's token types; ids that no token has become unused ones."""
    from gguf import TokenType

    vocabulary = tokenizer.get("model", {}).get("vocab")
    added = tokenizer.get("added_tokens") or []
    if not isinstance(vocabulary, dict):
        raise InputError("the tokenizer is no byte-level BPE", place=place, mend=CONVERT_ELSEWHERE)
    ids = [*vocabulary.values(), *(token["id"] for token in added)]
    if ids and max(ids) >= size:
        problem = f"token id {max(ids)} does not fit the model's vocabulary of {size}"
        raise InputError(problem, place=place, mend="Save the tokenizer that the model was trained with.")
    tokens, kinds = [f"[PAD{index}]" for index in range(size)], [int(TokenType.UNUSED)] * size
    for text, index in vocabulary.items():
        tokens[index], kinds[index] = text, int(TokenType.NORMAL)
    for token in added:
        tokens[token["id"]] = token["content"]
        kinds[token["id"]] = int(TokenType.CONTROL if token.get("special") else TokenType.USER_DEFINED)
    return tokens, kinds


def _add_special_tokens(
    writer: GGUFWriter, config: Mapping[str, Any], settings: Mapping[str, Any], tokens: list[str]
) -> None:
    """Write bos, pad and up to three ids that end generation; the tokenizer's own eos comes first, for the template."""
    if isinstance(config.get("bos_token_id"), int):
        writer.add_bos_token_id(config["bos_token_id"])
    if isinstance(config.get("pad_token_id"), int) and config["pad_token_id"] >= 0:
        writer.add_pad_token_id(config["pad_token_id"])
    eos = config.get("eos_token_id")
    ends = [index for index in (eos if isinstance(eos, list) else [eos]) if isinstance(index, int)]
    ends.sort(key=lambda index: tokens[index] != _text(settings.get("eos_token")))
    adders = (writer.add_eos_token_id, writer.add_eot_token_id, writer.add_eom_token_id)
    for add, index in zip(adders, ends, strict=False):
        add(index)


def _adds_bos(
    tokenizer: Mapping[str, Any], settings: Mapping[str, Any], config: Mapping[str, Any], tokens: list[str]
) -> bool:
    if isinstance(settings.get("add_bos_token"), bool):
        return settings["add_bos_token"]
    bos = config.get("bos_token_id")
    processor = tokenizer.get("post_processor") or {}
    steps = processor.get("processors") or [processor]
    first = [step["single"][0].get("SpecialToken", {}).get("id") for step in steps if step.get("single")]
    return isinstance(bos, int) and tokens[bos] in first


def _text(token: Any) -> Any:
    return token.get("content") if isinstance(token, dict) else token


def pre_tokenizer_type(tokenizer: Mapping[str, Any], place: object = "tokenizer.json") -> str:
    """Return llama.cpp's name (`tokenizer.ggml.pre`) for how this tokenizer.json splits text before merging.

    Raises:
        InputError: no byte-level BPE, or a way of splitting that has no known name.
    """
    model = tokenizer.get("model") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise InputError("the tokenizer is no byte-level BPE", place=place, mend=CONVERT_ELSEWHERE)
    normalizer = (tokenizer.get("normalizer") or {}).get("type")
    if normalizer not in (None, "NFC"):
        raise InputError(f"llama.cpp does not apply the normalizer {normalizer}", place=place, mend=CONVERT_ELSEWHERE)
    top = tokenizer.get("pre_tokenizer") or {}
    steps = top.get("pretokenizers") if top.get("type") == "Sequence" else [top]
    signature = tuple(part for step in steps or [] if (part := _describe_step(step)))
    byte_level = any(step.get("type") == "ByteLevel" for step in steps or [])
    name = _PRE_TOKENIZERS.get((signature, bool(model.get("ignore_merges"))))
    if name is None or not byte_level:
        shown = ", ".join(signature) or top.get("type") or "none"
        raise InputError(
            f"llama.cpp has no known name for this pre-tokenizer: {shown[:200]}", place=place, mend=CONVERT_ELSEWHERE
        )
    return name


def _describe_step(step: Mapping[str, Any]) -> str:
    kind = step.get("type", "none")
    if kind == "ByteLevel":
        return "prefix space" if step.get("add_prefix_space") else _GPT2 if step.get("use_regex", True) else ""
    if kind == "Digits":
        return "Digits" if step.get("individual_digits") else "Digits(grouped)"
    pattern = (step.get("pattern") or {}).get("Regex")
    # Both ways keep the matches as pieces, and these patterns match everything.
    keeps = (step.get("behavior"), bool(step.get("invert"))) in {("Isolated", False), ("Removed", True)}
    return pattern if kind == "Split" and pattern and keeps else str(kind)
