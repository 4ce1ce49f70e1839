"""Keys: whether they are where they should be. Their values are never looked at beyond that."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from selftaught_builder.doctor.finding import Finding, noting
from selftaught_builder.endpoints.api_key import key_file, key_of, others_may_read

if TYPE_CHECKING:
    from selftaught_builder.recipe import EndpointSettings, Recipe

PART = "keys"
_HUB = ("HF_TOKEN", "the hub: gated data and `push`")
_OPENAI = ("OPENAI_API_KEY", "`endpoint.kind: openai` without a key of its own")


def examine_keys(recipe: Recipe | None = None) -> list[Finding]:
    """Say of each key whether it is there. A missing one is a fault only where the recipe names it."""
    doors = [door for door in recipe.endpoint.doors if door.kind != "local"] if recipe else []
    findings = [finding for door in doors for finding in _of(door)]
    findings += [_variable(*_OPENAI)] * (not doors) + [_variable(*_HUB)]
    findings += [_variable(name, "the server's command") for name in _passed(recipe)] if recipe else []
    return list(dict.fromkeys(findings))


def _of(settings: EndpointSettings) -> list[Finding]:
    path = key_file(settings)
    if path is None:
        return [_variable(settings.api_key_env, "the recipe's endpoint", needed=settings.names_a_key)]
    findings: list[Finding] = []
    with noting(PART, findings):
        key_of(settings)
        findings.append(Finding(PART, "ok", f"{path}: holds a key, for the recipe's endpoint"))
    if others_may_read(path):
        findings.append(Finding(PART, "warn", f"{path}: others than its owner may read it", f"chmod 600 {path}"))
    return findings


def _variable(name: str, use: str, *, needed: bool = False) -> Finding:
    if os.environ.get(name, "").strip():
        return Finding(PART, "ok", f"{name}: set, for {use}")
    if needed:
        return Finding(PART, "fail", f"{name}: not set, and the recipe names it", f"Set {name}.")
    return Finding(PART, "ok", f"{name}: not set; it is for {use}")


def _passed(recipe: Recipe) -> Iterable[str]:
    """Return the variables that the recipe passes to a server's command."""
    endpoint = recipe.endpoint
    if endpoint.kind == "external" and endpoint.external:
        return endpoint.external.environment
    return endpoint.sglang.environment if endpoint.kind == "sglang" else []
