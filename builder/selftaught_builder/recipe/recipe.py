"""The whole of a recipe."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from selftaught_builder.recipe.endpoint import EndpointSettings
from selftaught_builder.recipe.evaluate import Evaluate
from selftaught_builder.recipe.export import Export
from selftaught_builder.recipe.policies import as_policy
from selftaught_builder.recipe.questions import Prompt, Questions
from selftaught_builder.recipe.rounds import Rounds
from selftaught_builder.recipe.sampling import Rationalize, Sample
from selftaught_builder.recipe.section import Name, Section
from selftaught_builder.recipe.train import Train


class Recipe(Section):
    """How one dataset is built, from questions to versions."""

    name: Name
    """The dataset's name: lower-case letters, digits, - and _. The run is named after it."""
    description: str = ""
    """What the dataset is, for its card."""
    questions: Questions
    prompt: Prompt = Prompt()
    endpoint: EndpointSettings = EndpointSettings()
    sample: Sample = Sample()
    rationalize: Rationalize = Rationalize()
    verify: Annotated[list[str], Field(min_length=1)] = [
        *("answer", "equations", "number_provenance", "hint_leak", "degenerate")
    ]
    """The verifiers to run."""
    verifiers: dict[str, dict[str, Any]] = {}
    """What verifiers need beyond their names: options ({near_duplicate: {similarity: 0.9}}), or where one of your own is
    defined ({no_apology: {file: checks.py}}, {lucky: {sql: "SELECT id AS attempt, ..."}})."""
    keep: Annotated[str, Field(validate_default=True)] = "default"
    """The policy: `answer-only`, `default`, `strict` or `rft`, or an SQL predicate over `attempts_wide`."""
    export: Export = Export()
    evaluate: Evaluate = Evaluate()
    train: Train | None = None
    rounds: Rounds = Rounds()
    store: str = "store.duckdb"
    """The store's file, from the recipe's folder."""

    @field_validator("verify")
    @classmethod
    def _answer_is_always_verified(cls, names: list[str]) -> list[str]:
        if "answer" not in names:
            _check_spelling(["answer"], names, "which is always needed")
            raise ValueError("must list `answer`: nothing becomes training data without a passing answer verdict")
        if len(set(names)) < len(names):
            raise ValueError("lists a verifier twice")
        return names

    @field_validator("keep")
    @classmethod
    def _its_verifiers_are_run(cls, keep: str, others: ValidationInfo) -> str:
        listed = others.data.get("verify")
        read = as_policy(keep).verifiers
        lacking = [name for name in read if listed is not None and name not in listed]
        if lacking:
            _check_spelling(lacking, [name for name in listed or () if name not in read], "which this policy reads")
            names = ", ".join(f"`{name}`" for name in lacking)
            raise ValueError(f"this policy reads {names}; add that to `verify`, or take another policy")
        return keep

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The folder that relative paths of the recipe start from."""
        return self._folder

    @model_validator(mode="after")
    def _options_have_their_verifier(self) -> Recipe:
        for name in self.verifiers:
            if name not in self.verify:
                raise ValueError(f"`verifiers.{name}` is set, but `verify` does not list `{name}`")
        return self

    @model_validator(mode="after")
    def _hints_are_looked_for(self) -> Recipe:
        if self.rationalize.k and "hint_leak" not in self.verify:
            _check_spelling(["hint_leak"], self.verify, "which rationalize.k needs")
            raise ValueError(
                "rationalize.k needs `hint_leak` under `verify`: no rationalized row is exported without it"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _rounds_may_be_a_number(cls, data: Any) -> Any:
        if isinstance(data, dict) and type(data.get("rounds")) is int:
            return {**data, "rounds": {"count": data["rounds"]}}
        return data

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 over the recipe with every default filled in."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_spelling(lacking: list[str], listed: list[str], why: str) -> None:
    """Raise ValueError where a listed verifier looks like a lacking one misspelt."""
    for name in lacking:
        if close := difflib.get_close_matches(name, listed, n=1):
            raise ValueError(f"`verify` lists `{close[0]}`: did you mean `{name}`, {why}?")
