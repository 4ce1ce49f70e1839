"""The Axolotl YAML of one training: a template with the recipe's and the round's values filled in.

A template is edited as text, key by key, so that its comments stay. The same input gives the same bytes. All paths are
absolute: `axolotl train FILE` runs by hand from anywhere, on every node of a shared file system.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from selftaught_builder.common.errors import RecipeError
from selftaught_builder.common.paths import expand
from selftaught_builder.recipe import Train, read_yaml
from selftaught_builder.training.environment import trainer_files

PREPARED, MODEL = "prepared", "model"
_OURS = ("base_model", "datasets", "output_dir", "dataset_prepared_path", "seed", "max_steps")
_BATCHES = ("batch_size", "micro_batch_size", "learning_rate", "warmup_steps", "sequence_len")
_SOURCE_KEYS = ("path", "split", "name", "data_files", "ds_type", "revision", "shards", "shards_idx")
_ON_CPU: Mapping[str, Any] = {
    "bf16": False,
    "fp16": False,
    "tf32": False,
    "attn_implementation": "sdpa",
    "gradient_checkpointing": False,
    "dataset_num_proc": 1,
    "dataloader_num_workers": 0,
    "dataloader_pin_memory": False,
}
_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
_ADAPTERS = ("lora", "qlora")
_FURTHER = "# For a machine without a GPU, and from the recipe's `train.axolotl`:"


@dataclass(frozen=True)
class Order:
    """What one training is.

    Attributes:
        data: the dataset version's folder, with Parquet files in data/.
        base_model: the model that training starts from: a checkpoint's folder or a hub id.
        folder: this training's own fresh folder; the YAML, log, prepared data and model go there.
        steps: optimizer steps.
    """

    data: Path
    base_model: str
    folder: Path
    steps: int


def render_yaml(settings: Train, order: Order, room: Path, device: str) -> str:
    """Return the complete Axolotl YAML.

    Args:
        settings: the recipe's `train:`.
        order: the training.
        room: the recipe's folder, where relative paths start.
        device: `cpu` or `gpu`, what the YAML is for.

    Raises:
        RecipeError: no such template, a key that is not for `train.axolotl`, or batches that do not fit.
    """
    taken = sorted(set(_OURS) & set(settings.axolotl))
    if taken:
        mend = "Take it out: `train` has a key of its own for it, or the loop sets it."
        raise RecipeError(f"`{taken[0]}` is not for train.axolotl to say", place="train.axolotl", mend=mend)
    # `recipe/train.py` tells users the names of those that are shipped.
    template = trainer_files() / "recipes" / f"{settings.recipe}.yaml"
    if re.fullmatch(r"[a-z]+", settings.recipe) and template.is_file():
        text = template.read_text(encoding="utf-8")
        text = _with_data(text, order)
        values = _values(settings, order, room, device)
        known = yaml.safe_load(text)
        there = {key: value for key, value in values.items() if key in known}
        for key, value in there.items():
            text = _replace(text, key, _dump({key: value}))
        further = {key: value for key, value in values.items() if key not in there}
        return text + (f"\n{_FURTHER}\n{_dump(further)}" if further else "")
    return _render_own(settings, order, room)


def render_command(settings: Train, file: Path) -> list[str]:
    """Return the command that runs a YAML by hand in the trainer's environment; on several nodes, on each of them."""
    command = ["axolotl", "train", str(file), "--launcher", settings.launcher]
    return [*command, "--", *settings.launcher_args] if settings.launcher_args else command


def _values(settings: Train, order: Order, room: Path, device: str) -> dict[str, Any]:
    micro, passes = _batches(settings)
    values: dict[str, Any] = {
        "base_model": _model(order.base_model, room),
        **_folders(order),
        "seed": settings.seed,
        "max_steps": order.steps,
        "micro_batch_size": micro,
        "gradient_accumulation_steps": passes,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup_steps,
        "sequence_len": settings.sequence_len,
    }
    values = {key: value for key, value in values.items() if value is not None}
    if device == "cpu":
        values |= _ON_CPU
        if settings.axolotl.get("adapter", settings.recipe) in _ADAPTERS:
            values |= dict.fromkeys(_KERNELS, False)
    return values | settings.axolotl


def _batches(settings: Train) -> tuple[int, int]:
    """Return rows per device and pass, and passes per step, so that a step has `batch_size` rows over all devices."""
    if settings.launcher_args and settings.launcher == "python":
        mend = "Set train.launcher to torchrun or accelerate; `python` is one process and takes none."
        raise RecipeError("arguments without a launcher", place="train.launcher_args", mend=mend)
    devices = _devices(settings.launcher_args)
    micro = settings.micro_batch_size or max(1, settings.batch_size // devices)
    passes, rest = divmod(settings.batch_size, micro * devices)
    if rest or not passes:
        problem = f"batch_size {settings.batch_size} is no multiple of {micro} rows on each of {devices} devices"
        raise RecipeError(problem, place="train.batch_size", mend="Change batch_size or micro_batch_size.")
    return micro, passes


def _devices(arguments: Sequence[str]) -> int:
    """Return how many processes the launcher's arguments ask for, 1 where they do not say."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    said: dict[str, str] = {}
    for name, value in itertools.pairwise(words):
        said[name.lstrip("-").replace("-", "_")] = value
    count = 1
    for name in ("nnodes", "nproc_per_node", "num_processes"):
        count *= max(1, int(said[name])) if said.get(name, "").isdecimal() else 1
    return count


def _folders(order: Order) -> dict[str, str]:
    folder = order.folder.absolute()
    return {"output_dir": str(folder / MODEL), "dataset_prepared_path": str(folder / PREPARED)}


def _model(name: str, room: Path) -> str:
    """Return a folder's absolute path, from the room or the working folder; anything else is a hub id."""
    path = expand(name)
    for folder in (room / path, path):
        if folder.is_dir():
            return str(folder.resolve())
    return str((room / path).absolute()) if name.startswith((".", "/", "~")) else name


# A shipped template, edited as text


def _replace(text: str, key: str, block: str) -> str:
    """Put `block` in the place of a top-level key's lines; a comment beside the key stays where it has one line."""
    found = re.search(rf"(?m)^{re.escape(key)}:(?P<first>[^\n]*)\n(?:[ -][^\n]*\n)*", text)
    assert found is not None, key  # noqa: S101
    comment = re.search(r"\s+# .*$", found["first"])
    if comment and block.count("\n") == 1:
        block = f"{block[:-1]}{comment[0]}\n"
    return text[: found.start()] + block + text[found.end() :]


def _with_data(text: str, order: Order) -> str:
    path = _dump(str(order.data.absolute()), default_style='"').strip()
    return text.replace("- path: DATASET", f"- path: {path}", 1)


def _dump(data: Any, **options: Any) -> str:
    """Return YAML in which unusual line breaks and other control characters are escaped, and letters are not."""
    options |= {"sort_keys": False, "width": 10_000}
    text = yaml.safe_dump(data, allow_unicode=True, **options)
    return text if text.replace("\n", "").isprintable() else yaml.safe_dump(data, **options)


# An Axolotl YAML of the user's own


def _render_own(settings: Train, order: Order, room: Path) -> str:
    path = room / expand(settings.recipe)
    if not path.is_file():
        known = sorted(file.stem for file in (trainer_files() / "recipes").glob("*.yaml"))
        close = difflib.get_close_matches(settings.recipe, known, n=1)
        mend = f"Did you mean `{close[0]}`?" if close else f"There are {', '.join(known)}; or name a file of your own."
        raise RecipeError(f"no Axolotl recipe `{settings.recipe}`", place="train.recipe", mend=mend)
    idle = sorted(set(_BATCHES) & {key for key in settings.model_fields_set if getattr(settings, key) is not None})
    if idle:
        mend = f"Say it in {path.name}, or under train.axolotl."
        raise RecipeError("says nothing beside an Axolotl YAML of your own", place=f"train.{idle[0]}", mend=mend)
    own, _ = read_yaml(path)
    if not isinstance(own, dict):
        raise RecipeError("an Axolotl YAML is a mapping of keys", place=path, mend="Start from a shipped one.")
    base_model = _model(order.base_model, room)
    if own.get("base_model") is not None and _model(str(own["base_model"]), room) != base_model:
        problem = f"names {own['base_model']} as base_model, and this round trains from {base_model}"
        mend = "Take it out there; train.base_model, or endpoint.model, says what training starts from."
        raise RecipeError(problem, place=path, mend=mend)
    own["base_model"] = base_model
    for key, value in {"seed": settings.seed, "max_steps": order.steps}.items():
        if own.get(key) is None:
            own[key] = value
    own["datasets"] = [_own_dataset(own.get("datasets"), order)]
    own |= {**_folders(order), **settings.axolotl}
    head = f"# From {path.name}, with the data and the folders of this training.\n"
    return head + _dump(own)


def _own_dataset(given: Any, order: Order) -> dict[str, Any]:
    """Return the `datasets` entry: the form of the user's first one, where it has a form, over our data."""
    ours = {"path": str(order.data.absolute()), "split": "train"}
    first = given[0] if isinstance(given, list) and given and isinstance(given[0], dict) else {}
    if first.get("type"):
        return ours | {key: value for key, value in first.items() if key not in _SOURCE_KEYS}
    form = {"type": "chat_template", "field_messages": "messages", "roles_to_train": ["assistant"]}
    return {**ours, **form, "train_on_eos": "turn"}
