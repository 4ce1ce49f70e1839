"""The rendered YAML: its values, its comments, and a user's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught_builder.common.errors import RecipeError
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


TEMPLATE_KEYS = sorted({key for name in TEMPLATES for key in render(recipe=name)} - set(Train.model_fields))
OURS = {"base_model", "datasets", "output_dir", "dataset_prepared_path", "seed", "max_steps"}
characters = st.characters(exclude_categories=["Cs"])
keys = st.one_of(
    st.sampled_from([key for key in TEMPLATE_KEYS if key not in OURS]),
    st.sampled_from(
        ["  split", "  - path", "# LoRA", "bf16 ", "a: b", "- a", "*a", "&a", "!!str", "null", "1", "y", ""]
    ),
    st.text(characters, max_size=9).filter(lambda key: key not in OURS),
)
leaves = st.one_of(
    st.text(characters), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.dates(),
    st.sampled_from(["x: y", "a # b", "- a\n- b", "a\nb: c\n", "1e5", "on", "{}", "%T", "---\n", "\u2028", "\x85\x00"]),
)  # fmt: skip
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@settings(deadline=None)
@given(axolotl=st.dictionaries(keys, values, max_size=4), recipe=st.sampled_from(TEMPLATES))
def test_whatever_keys_and_values_a_recipe_adds_are_in_the_yaml_and_nothing_else_changes(
    axolotl: dict[str, Any], recipe: str
) -> None:
    assert render(recipe=recipe, axolotl=axolotl) == {**render(recipe=recipe), **axolotl}


@given(
    name=st.text(characters.filter(lambda one: one not in "\0"), min_size=1).filter(lambda name: name[0] not in "./~")
)
def test_a_base_models_name_arrives_whatever_it_holds(name: str) -> None:
    assert render(Order(Path("/v1"), name, Path("/1"), 4))["base_model"] == name


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
        (
            {
                "batch_size": 16,
                "micro_batch_size": 2,
                "launcher": "accelerate",
                "launcher_args": ["--num_processes", "4"],
            },
            2,
            2,
        ),
        ({"batch_size": 8, "launcher": "torchrun", "launcher_args": ["--nnodes=1:4", "--nproc_per_node", "0"]}, 8, 1),
    ],
)
def test_a_step_has_batch_size_rows_over_all_devices(train: dict[str, Any], micro: int, passes: int) -> None:
    found = render(**train)
    assert (found["micro_batch_size"], found["gradient_accumulation_steps"]) == (micro, passes)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 512), devices=st.integers(1, 64))
def test_batches_multiply_to_the_batch_size_or_are_refused(rows: int, devices: int) -> None:
    try:
        found = render(batch_size=rows, launcher="torchrun", launcher_args=["--nproc_per_node", str(devices)])
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
        ({"recipe": "~no-such-user/own.yaml"}, "no Axolotl recipe"),
        ({"batch_size": 9, "launcher": "torchrun", "launcher_args": ["--nproc_per_node", "2"]}, "batch_size 9"),
        ({"launcher_args": ["--nproc_per_node", "8"]}, "arguments without a launcher"),
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
    for empty in ("", "datasets: null\n", "datasets: []\n", "datasets: {path: x, type: y}\n", "datasets: [1, null]\n"):
        (tmp_path / "own.yaml").write_text(f"learning_rate: 0.1\nmax_steps: 7\nbase_model: org/model\n{empty}")
        found = render(room=tmp_path, recipe="./own.yaml")
        assert found["datasets"][0]["roles_to_train"] == ["assistant"]
        assert found["datasets"][0]["path"] == "/data/v1"
        assert (found["max_steps"], found["base_model"]) == (7, "org/model")


def test_anchors_of_an_own_yaml_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("x: &x {a: [1]}\ny: *x\nz: {<<: *x, b: 2}\n")
    found = render(room=tmp_path, recipe="own.yaml")
    assert (found["x"], found["y"], found["z"]) == ({"a": [1]}, {"a": [1]}, {"a": [1], "b": 2})


def test_an_own_yaml_names_the_rounds_base_model_or_none(tmp_path: Path) -> None:
    """What the store records of a training is what it started from."""
    (tmp_path / "base").mkdir()
    (tmp_path / "own.yaml").write_text("base_model: ./base\n")
    order = Order(Path("/v1"), str(tmp_path / "base"), Path("/1"), 4)
    assert render(order, room=tmp_path, recipe="own.yaml")["base_model"] == str((tmp_path / "base").resolve())
    with pytest.raises(
        RecipeError, match=r"own.yaml: names ./base as base_model, and this round trains from org/model"
    ):
        render(room=tmp_path, recipe="own.yaml")


@pytest.mark.parametrize(
    ("text", "train", "said"),
    [
        ("[1, 2]", {}, "mapping"),
        ("a: [", {}, "not valid YAML"),
        ("a:\n\t- b", {}, "not valid YAML"),
        ("a: 1\n---\nb: 2", {}, "not valid YAML"),
        ("", {}, "mapping"),
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
