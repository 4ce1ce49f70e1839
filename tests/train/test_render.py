"""The rendered YAML: its values, its comments, and a user's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_builder.errors import RecipeError
from selftaught_builder.recipe import Train
from selftaught_builder.training import Order, render_command, render_yaml, trainer_files

TEMPLATES = sorted(file.stem for file in (trainer_files() / "recipes").glob("*.yaml"))
ORDER = Order(Path("/data/v1"), "org/model", Path("/runs/1"), 40)


def render(order: Order = ORDER, device: str = "gpu", room: Path = Path("/rooms/x"), **train: Any) -> dict[str, Any]:
    return yaml.safe_load(render_yaml(Train.model_validate(train), order, room, device))


def test_all_five_templates_are_there() -> None:
    assert TEMPLATES == ["full", "lora", "preference", "qlora", "stepwise"]


@pytest.mark.parametrize("recipe", TEMPLATES)
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_template_differs_from_its_render_only_in_what_is_filled_in(recipe: str, device: str) -> None:
    template = (trainer_files() / "recipes" / f"{recipe}.yaml").read_text()
    text = render_yaml(Train(recipe=recipe), ORDER, Path("/rooms/x"), device)
    assert text == render_yaml(Train(recipe=recipe), ORDER, Path("/rooms/x"), device)
    for line in template.splitlines():
        if "(filled in" in line:
            assert line.partition(" # ")[2] in text
        else:
            assert line in text.splitlines()


paths = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1).map(
    lambda name: Path("/data") / f"v {name}"
)


@given(
    data=paths,
    folder=paths,
    steps=st.integers(1, 10**6),
    seed=st.integers(0, 2**31),
    device=st.sampled_from(["cpu", "gpu"]),
)
def test_whatever_paths_and_numbers_arrive_in_the_yaml(
    data: Path, folder: Path, steps: int, seed: int, device: str
) -> None:
    for recipe in TEMPLATES:
        found = render(Order(data, "org/model", folder, steps), device, recipe=recipe, seed=seed)
        assert found["datasets"][0]["path"] == str(data)
        assert found["output_dir"] == str(folder / "model")
        assert found["dataset_prepared_path"] == str(folder / "prepared")
        assert (found["max_steps"], found["seed"], found["base_model"]) == (steps, seed, "org/model")


def test_a_cpu_is_told_all_that_axolotl_needs_there() -> None:
    full, lora = render(device="cpu"), render(device="cpu", recipe="lora")
    assert (full["bf16"], full["fp16"], full["tf32"], full["attn_implementation"]) == (False, False, False, "sdpa")
    assert not any("kernel" in key for key in full)
    assert lora["lora_mlp_kernel"] is lora["lora_o_kernel"] is lora["lora_embedding_kernel"] is False
    assert render()["bf16"] is True


@pytest.mark.parametrize(
    ("train", "micro", "passes"),
    [
        ({"batch_size": 8}, 8, 1),
        ({"batch_size": 8, "micro_batch_size": 2}, 2, 4),
        ({"batch_size": 64, "launcher": "torchrun", "launcher_args": ["--nnodes=2", "--nproc-per-node", "8"]}, 4, 1),
        ({"batch_size": 16, "micro_batch_size": 2, "launcher_args": ["--num_processes", "4"]}, 2, 2),
    ],
)
def test_a_step_has_batch_size_rows_over_all_devices(train: dict[str, Any], micro: int, passes: int) -> None:
    found = render(**train)
    assert (found["micro_batch_size"], found["gradient_accumulation_steps"]) == (micro, passes)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 512), devices=st.integers(1, 64))
def test_batches_multiply_to_the_batch_size_or_are_refused(rows: int, devices: int) -> None:
    try:
        found = render(batch_size=rows, launcher_args=["--nproc_per_node", str(devices)])
    except RecipeError:
        assert rows % devices
    else:
        assert found["micro_batch_size"] * found["gradient_accumulation_steps"] * devices == rows


def test_the_recipes_own_keys_win_and_new_ones_are_added() -> None:
    found = render(device="cpu", axolotl={"weight_decay": 0.1, "deepspeed": "zero3.json", "bf16": True})
    assert (found["weight_decay"], found["deepspeed"], found["bf16"]) == (0.1, "zero3.json", True)


def test_a_folder_of_the_room_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    found = render(Order(Path("v1"), "base", Path("run"), 1), room=tmp_path)
    assert found["base_model"] == str((tmp_path / "base").resolve())
    assert found["datasets"][0]["path"] == str(Path.cwd() / "v1")
    assert render(Order(Path("v1"), "./bass", Path("run"), 1), room=tmp_path)["base_model"] == str(tmp_path / "bass")


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"recipe": "lorra"}, "Did you mean `lora`"),
        ({"recipe": "../../etc/passwd"}, "no Axolotl recipe"),
        ({"axolotl": {"output_dir": "/"}}, "not for train.axolotl"),
        ({"batch_size": 9, "launcher_args": ["--nproc_per_node", "2"]}, "batch_size 9"),
    ],
)
def test_a_wrong_recipe_is_refused(train: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=said):
        render(room=tmp_path, **train)


OWN = """\
optimizer: adamw_torch
learning_rate: 3e-4
datasets:
  - {path: theirs, type: alpaca, split: test, data_files: x.json, field: text}
micro_batch_size: 2
seed: 11
output_dir: elsewhere
"""


def test_of_an_own_yaml_only_data_folders_and_gaps_are_filled(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    given, found = yaml.safe_load(OWN), render(room=tmp_path, recipe="own.yaml")
    assert found["datasets"] == [{"path": "/data/v1", "split": "train", "type": "alpaca", "field": "text"}]
    assert (found["output_dir"], found["dataset_prepared_path"]) == ("/runs/1/model", "/runs/1/prepared")
    assert (found["base_model"], found["seed"], found["max_steps"]) == ("org/model", 11, 40)
    same = [key for key in given if key not in ("datasets", "output_dir")]
    assert [found[key] for key in same] == [given[key] for key in same]
    assert [key for key in found if key in given] == list(given)


def test_an_own_yaml_without_data_gets_ours_in_chat_form(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("learning_rate: 0.1\nmax_steps: 7\nbase_model: theirs\n")
    found = render(room=tmp_path, recipe="./own.yaml")
    assert found["datasets"][0]["roles_to_train"] == ["assistant"]
    assert (found["max_steps"], found["base_model"]) == (7, "theirs")


@pytest.mark.parametrize(
    ("text", "train", "said"),
    [
        ("[1, 2]", {}, "mapping"),
        ("a: [", {}, "not valid YAML"),
        ("a: 1", {"learning_rate": 0.1}, "train.learning_rate: says nothing"),
    ],
)
def test_a_wrong_own_yaml_is_refused(text: str, train: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(RecipeError, match=said):
        render(room=tmp_path, recipe="own.yaml", **train)


def test_the_command_by_hand() -> None:
    assert render_command(Train(), Path("a.yaml")) == ["axolotl", "train", "a.yaml", "--launcher", "python"]
    nodes = Train(launcher="torchrun", launcher_args=["--nnodes", "2"])
    assert render_command(nodes, Path("a.yaml"))[3:] == ["--launcher", "torchrun", "--", "--nnodes", "2"]
