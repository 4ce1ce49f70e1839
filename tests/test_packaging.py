"""What an installed package holds, and what `selftaught init` makes of it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from selftaught_builder.common.errors import InputError
from selftaught_builder.recipe import load_recipe
from selftaught_builder.room import shipped

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_what_the_commands_need(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "selftaught_builder/prompts/star-cot.jinja" in names
    assert "selftaught_builder/audit/queries/1_false_equation.sql" in names
    assert any(name.endswith("0001_initial.sql") for name in names)
    assert "selftaught_builder/rooms/gsm8k/recipe.yaml" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"selftaught_builder", "selftaught_verifiers"}


def test_an_installed_package_makes_a_room(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    made = tmp_path / "rooms" / "mine"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from selftaught_builder.room.shipped import copy_room, shipped_rooms\n"
        "assert str(shipped_rooms()).startswith(sys.argv[1]), shipped_rooms()\n"
        "copy_room('gsm8k', 'mine', Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "site"), str(made.parent)], check=True, cwd=tmp_path)
    assert load_recipe(made).name == "mine"
    assert (made / "examples.yaml").is_file()


def test_the_wheel_carries_what_the_loop_needs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    room = {
        "recipe.yaml",
        "questions.jsonl",
        "held-out.jsonl",
        "base/config.json",
        "base/model.safetensors",
        "base/tokenizer.json",
    }
    assert {f"selftaught_builder/rooms/sums/{file}" for file in room} <= names
    trainer = {"launch.py", "setup.sh", "requirements-cpu.txt", "requirements-gpu.txt", "recipes/lora.yaml"}
    assert {f"selftaught_builder/trainer/{file}" for file in trainer} <= names
    assert wheel.stat().st_size < 4_000_000


def test_a_room_like_sums_has_its_model_and_its_questions(tmp_path: Path) -> None:
    made = shipped.copy_room("sums", "mine", tmp_path)
    recipe = load_recipe(made)
    assert (made / recipe.endpoint.model / "model.safetensors").is_file()
    assert (made / (recipe.questions.source or "")).is_file()


@pytest.mark.parametrize(
    ("like", "name", "said"),
    [
        ("gsm9k", "mine", "There are: commonsenseqa, gsm8k, sums, svamp"),
        ("svamp", "../up", "lower-case"),
        ("svamp", "", "name"),
    ],
)
def test_a_wrong_room_is_refused(like: str, name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        shipped.copy_room(like, name, tmp_path)


def test_a_room_is_never_overwritten(tmp_path: Path) -> None:
    shipped.copy_room("svamp", "mine", tmp_path)
    with pytest.raises(InputError, match="something already"):
        shipped.copy_room("svamp", "mine", tmp_path)
