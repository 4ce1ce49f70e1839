"""Checks an Axolotl YAML against Axolotl's own schema, more strictly than Axolotl does. Part of the launcher."""

from __future__ import annotations

import difflib
import json
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ON_CPU: dict[str, Any] = {"bf16": False, "fp16": False}
"""What Axolotl must be told on a machine without a GPU: it otherwise settles on fp16, and crashes."""


class LaunchError(Exception):
    """The work cannot go on; `event` is what is said about it."""

    def __init__(self, kind: str, text: str, **more: Any) -> None:
        super().__init__(text)
        self.event = {"kind": kind, "text": text, **more}


def read(file: str) -> dict[str, Any]:
    """Return what an Axolotl YAML says.

    Raises:
        LaunchError: of kind `yaml`: it cannot be read, or is no mapping.
    """
    import yaml

    try:
        raw = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LaunchError("yaml", f"cannot be read: {error}") from None
    if not isinstance(raw, dict):
        raise LaunchError("yaml", "an Axolotl YAML is a mapping of keys")
    return raw


def check(raw: Mapping[str, Any], capabilities: Mapping[str, Any] | None = None) -> None:
    """Check a YAML's keys, names and values against Axolotl's own schema.

    Axolotl ignores unknown keys and looks at an optimizer's name only when training starts.

    Args:
        raw: what the YAML says.
        capabilities: the machine to judge for; this one where None.

    Raises:
        LaunchError: of kind `yaml`, `base_model` or `environment`.
    """
    _check_base_model(str(raw.get("base_model") or ""))  # before the slow imports
    try:
        from axolotl.cli.config import gpu_capabilities
        from axolotl.utils.config import prepare_plugins, validate_config
        from axolotl.utils.dict import DictDefault
        from pydantic import ValidationError
    except Exception as error:  # a package that is missing or does not fit fails in many ways
        raise LaunchError("environment", f"{type(error).__name__}: {error}"[:500], python=sys.executable) from None

    cfg = DictDefault(json.loads(json.dumps(raw, default=str)))
    prepare_plugins(cfg)
    _check_keys(raw, _schema(cfg))
    _check_names(raw)
    if capabilities is None:
        machine, environment = gpu_capabilities()
        if machine["compute_capability"] is None:
            _check_cpu(raw)
    else:
        machine = {"bf16": True, "fp8": False, "tf32": True, "n_gpu": 1, "compute_capability": "sm_80", **capabilities}
        environment = {"torch_version": machine.pop("torch_version", gpu_capabilities()[1]["torch_version"])}
    try:
        validate_config(cfg, capabilities=machine, env_capabilities=environment)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise LaunchError("yaml", first["msg"].removeprefix("Value error, "), key=key or None) from None
    except ValueError as error:
        raise LaunchError("yaml", str(error)) from None


def _check_base_model(name: str) -> None:
    """Refuse a folder that is not there or holds no checkpoint; whether a hub id exists only Axolotl can tell."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if name.startswith((".", "/", "~")):
            raise LaunchError("base_model", f"there is no folder {name}")
        return
    weights = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    missing = [file for file in ("config.json", "tokenizer_config.json") if not (folder / file).is_file()]
    if missing or not weights:
        lacks = [*missing, *([] if weights else ["*.safetensors"])]
        raise LaunchError("base_model", f"{name} lacks {', '.join(lacks)}")


def _schema(cfg: Any) -> Any:
    from axolotl.utils.schemas.config import AxolotlInputConfig

    if not cfg.plugins:
        return AxolotlInputConfig
    from axolotl.integrations.config import merge_input_args

    return merge_input_args()[1]


def _check_keys(given: Any, annotation: Any, at: str = "") -> None:
    """Refuse keys that no model of the annotation has; where a plain mapping is allowed too, anything goes."""
    if isinstance(given, list):
        for entry in given:
            _check_keys(entry, annotation, at)
    if not isinstance(given, Mapping):
        return
    models = list(_models(annotation))
    if not models or any(model.model_config.get("extra") == "allow" for model in models):
        return
    fields = {name: field for model in models for name, field in _fields(model)}
    for key, value in given.items():
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            mend = f"Did you mean `{at}{close[0]}`?" if close else "Axolotl would ignore it: take it out."
            raise LaunchError("yaml", f"unknown key `{at}{key}`", key=f"{at}{key}", mend=mend)
        _check_keys(value, fields[key].annotation, f"{at}{key}.")


def _fields(model: Any) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield name, field
        for alias in (field.alias, *getattr(field.validation_alias, "choices", [field.validation_alias])):
            if isinstance(alias, str):
                yield alias, field


def _models(annotation: Any) -> Iterator[Any]:
    """Yield the pydantic models in an annotation; none of them where a mapping with free keys would do as well."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        yield annotation
        return
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType) and any(
        part is dict or typing.get_origin(part) is dict for part in parts
    ):
        return
    if origin is not dict:
        for part in parts:
            yield from _models(part)


def _check_names(raw: Mapping[str, Any]) -> None:
    """Refuse an unknown optimizer or scheduler, which Axolotl's schema lets pass."""
    from axolotl.utils.schemas.enums import CustomSupportedOptimizers
    from transformers.trainer_utils import SchedulerType
    from transformers.training_args import OptimizerNames

    known = {
        "optimizer": [name.value for name in (*OptimizerNames, *CustomSupportedOptimizers)],
        "lr_scheduler": [*(name.value for name in SchedulerType), "one_cycle", "rex"],
    }
    for key, names in known.items():
        given = raw.get(key)
        if given is not None and given not in names:
            close = difflib.get_close_matches(str(given), names, n=1)
            mend = f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(sorted(names))}."
            raise LaunchError("yaml", f"unknown {key} `{given}`", key=key, mend=mend)


def _check_cpu(raw: Mapping[str, Any]) -> None:
    """Refuse what crashes without a GPU only once the model is loaded."""
    kernels = ("mlp", "qkv", "o", "embedding") if raw.get("adapter") else ()
    needed = {**ON_CPU, **{f"lora_{name}_kernel": False for name in kernels}}
    for key, value in needed.items():
        if raw.get(key) is not value:
            mend = "Without a GPU write " + ", ".join(f"`{name}: false`" for name in needed) + "."
            raise LaunchError("yaml", f"`{key}` must be false without a GPU", key=key, mend=mend)
    if raw.get("attn_implementation") not in ("sdpa", "eager"):
        mend = "Write `attn_implementation: sdpa`."
        raise LaunchError(
            "yaml", "this attention needs a GPU, or settles on one that does", key="attn_implementation", mend=mend
        )
