"""`train`: how a round's model is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from selftaught_builder.recipe.section import Count, Section


class Steps(Section):
    """Training steps: `start` in the first round, then `growth` times as many each round, and `add` more."""

    start: Count = 40
    """Optimizer steps of the first round (STaR, section 3.1: 40)."""
    growth: Annotated[float, Field(ge=1)] = 1.2
    """Factor from round to round (STaR: 1.2)."""
    add: Annotated[int, Field(ge=0)] = 0
    """Steps added from round to round (STaR's arithmetic: 20, with growth 1)."""

    def of(self, round_number: int) -> int:
        """Return the steps of a round, counted from 1."""
        return round(self.start * self.growth ** (round_number - 1)) + self.add * (round_number - 1)


class Train(Section):
    """How a dataset version becomes the next model: one Axolotl YAML a round."""

    recipe: str = "full"
    """A shipped Axolotl template (full, lora, qlora, preference, stepwise), or the path of an Axolotl YAML of your own: of
    that only `datasets`, the output and prepared paths, and base_model, seed and max_steps where it lacks them, are
    filled in."""
    base_model: str | None = None
    """The model that training starts from: a checkpoint's folder or a hub id; `endpoint.model` where absent."""
    init: Literal["base", "last"] = "base"
    """Train each round from the base model (STaR), or go on from the last round's checkpoint."""
    steps: Steps = Steps()
    batch_size: Count = 8
    """Rows per optimizer step."""
    micro_batch_size: Count | None = None
    """Rows per device and pass; batch_size where absent. It must divide batch_size."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """The template's own where absent."""
    warmup_steps: Annotated[int, Field(ge=0)] | None = None
    """The template's own where absent."""
    sequence_len: Count | None = None
    """Tokens of the longest row; the template's own where absent."""
    seed: int = 1
    """Axolotl's seed: same seed, same data, same weights on the same machine."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """`auto` asks the trainer's environment."""
    launcher: Literal["python", "accelerate", "torchrun"] = "python"
    """How Axolotl starts its processes."""
    launcher_args: list[str] = []
    """Arguments for the launcher: ["--nnodes", "2", "--nproc_per_node", "8", "--rdzv_endpoint", "host:29400"]."""
    axolotl: dict[str, Any] = {}
    """Further Axolotl keys; they replace the template's."""

    @model_validator(mode="after")
    def _batches_fit(self) -> Train:
        if self.micro_batch_size and self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}")
        return self
