"""Axolotl's own schema judges what is rendered: for this machine, and for machines with GPUs that are described."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from selftaught_builder.recipe import Train
from selftaught_builder.training import Order, Trainer, TrainingError, render_command, render_yaml, trainer_files
from support.trainings import judge, write_yaml

ROOT = Path(__file__).parents[2]
FSDP = {
    "fsdp_version": 2,
    "fsdp_config": {
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
        "state_dict_type": "FULL_STATE_DICT",
        "reshard_after_forward": True,
    },
}
NODES = ["--nnodes", "2", "--nproc_per_node", "8", "--rdzv_endpoint", "host:29400", "--rdzv_id", "star"]
H100 = {"n_gpu": 8, "compute_capability": "sm_90", "fp8": True}


def rendered(model: str, device: str = "gpu", **train: Any) -> str:
    order = Order(Path("/data/v1-0123abcd"), model, Path("/runs/1"), 40)
    return render_yaml(Train.model_validate(train), order, Path("/rooms/x"), device)


def documented() -> list[dict[str, Any]]:
    """The `train:` sections that docs/training.md shows."""
    text = (ROOT / "docs" / "training.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    return [block["train"] for block in blocks if "train" in block]


def own_kto() -> str:
    """The preference template edited as its own comment says."""
    template = (trainer_files() / "recipes" / "preference.yaml").read_text()
    keys = yaml.safe_load("\n".join(line[4:] for line in re.findall(r"(?m)^#   (?:rl|remove|datasets).*", template)))
    assert keys["rl"] == "kto"
    with tempfile.TemporaryDirectory() as room:
        own = {key: value for key, value in yaml.safe_load(template).items() if key != "base_model"}
        (Path(room) / "own.yaml").write_text(yaml.safe_dump(own | keys))
        return render_yaml(Train(recipe="own.yaml"), Order(Path("/v1"), "org/m", Path("/1"), 4), Path(room), "gpu")


VALID = {
    "full on a CPU": (rendered("org/model-135m", "cpu"), None),
    "lora on a CPU": (rendered("org/model-135m", "cpu", recipe="lora"), None),
    "qlora on a CPU": (rendered("org/model-135m", "cpu", recipe="qlora"), None),
    "lora 8B": (rendered("org/llama-8b", recipe="lora", micro_batch_size=2), {"n_gpu": 1}),
    "qlora 70B": (rendered("org/llama-70b", recipe="qlora", micro_batch_size=1), {"n_gpu": 1}),
    "full 70B, FSDP 2": (
        rendered("org/llama-70b", batch_size=16, axolotl=FSDP, launcher="torchrun", launcher_args=NODES),
        H100,
    ),
    "DPO": (rendered("org/llama-8b", recipe="preference"), {"n_gpu": 1}),
    "KTO": (own_kto(), {"n_gpu": 1}),
    "stepwise": (rendered("org/llama-8b", recipe="stepwise"), {"n_gpu": 1}),
}
WRONG = {
    "a typo": ({"learning_rte": 1}, "learning_rte", "learning_rate"),
    "a typo in a section": ({"fsdp_config": {"offload_param": True}}, "fsdp_config.offload_param", "offload_params"),
    "an optimizer": ({"optimizer": "adamw_troch"}, "optimizer", "adamw_torch"),
    "a scheduler": ({"lr_scheduler": "cosin"}, "lr_scheduler", "cosine"),
    "a type": ({"sequence_len": "long"}, "sequence_len", ""),
    "two that exclude each other": ({"warmup_ratio": 0.1}, None, ""),
    "half precision on a CPU": ({"bf16": True}, "bf16", "bf16: false"),
    "an attention for GPUs": ({"attn_implementation": "flash_attention_2"}, "attn_implementation", "sdpa"),
}


@pytest.fixture(scope="module")
def judged(trainer: Trainer) -> dict[str, Any]:
    """All verdicts at once: importing Axolotl costs more than all of them."""
    cases = {name: {"yaml": text, "capabilities": machine} for name, (text, machine) in VALID.items()}
    for name, (changes, _, _) in WRONG.items():
        cases[name] = {"yaml": rendered("org/model-135m", "cpu", axolotl=changes)}
    nodes = Train(launcher="torchrun", launcher_args=NODES, batch_size=16)
    cases["the command"] = {"command": render_command(nodes, Path("FILE"))}
    cases["no base model"] = {"yaml": rendered("./no-such-model", "cpu")}
    cases["a typo under datasets"] = {"yaml": rendered("org/model", "cpu").replace("field_messages:", "field_mesages:")}
    for number, section in enumerate(documented()):
        cases[f"documented {number}"] = {"yaml": rendered("org/model", **section), "capabilities": H100}
    return dict(zip(cases, judge(trainer, list(cases.values())), strict=True))


@pytest.mark.parametrize("name", VALID)
def test_axolotl_accepts_what_is_rendered(judged: dict[str, Any], name: str) -> None:
    assert judged[name] is None


@pytest.mark.parametrize("name", WRONG)
def test_what_axolotl_would_ignore_or_crash_on_is_refused(judged: dict[str, Any], name: str) -> None:
    _, key, mend = WRONG[name]
    found = judged[name]
    assert found is not None
    assert found["kind"] == "yaml"
    assert key is None or found["key"] == key
    assert mend in (found.get("mend") or "")


def test_keys_inside_datasets_are_checked_too(judged: dict[str, Any]) -> None:
    assert judged["a typo under datasets"]["mend"] == "Did you mean `datasets.field_messages`?"


def test_a_missing_base_model_is_said(judged: dict[str, Any]) -> None:
    assert judged["no base model"]["kind"] == "base_model"
    assert "/rooms/x/no-such-model" in judged["no base model"]["text"]


def test_axolotl_starts_torchrun_on_each_node_with_our_arguments(judged: dict[str, Any]) -> None:
    started = judged["the command"]
    assert started[0] == "torchrun"
    assert started[1 : 1 + len(NODES)] == NODES
    assert " -m axolotl.cli.train FILE " in " ".join(started)


def test_what_the_docs_show_is_valid(judged: dict[str, Any]) -> None:
    sections = [name for name in judged if name.startswith("documented")]
    assert len(sections) >= 3
    assert [judged[name] for name in sections] == [None] * len(sections)


def test_a_typo_names_file_key_and_the_close_match(trainer: Trainer, tmp_path: Path) -> None:
    file = write_yaml(tmp_path / "1", tmp_path, "org/model", axolotl={"sequence_length": 64})
    with pytest.raises(TrainingError, match=r"axolotl.yaml: sequence_length: unknown key .*\n.*`sequence_len`"):
        trainer.check(file)
