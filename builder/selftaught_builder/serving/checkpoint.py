"""Which model a server is to serve: a folder on this machine, or an id that the server resolves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selftaught_builder.common.errors import EndpointError
from selftaught_builder.common.paths import expand, model_name
from selftaught_builder.endpoints.fingerprint import fingerprint_weights


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model that a server is asked to serve.

    Attributes:
        where: what the server is told: an absolute folder, or a model id.
        name: a short name: the folder's, or the id.
        weights: the fingerprint, None where the files are not on this machine.
        adapter: whether the folder holds a LoRA adapter rather than a whole model.
    """

    where: str
    name: str
    weights: str | None = None
    adapter: bool = False


def find_wanted(model: str | Path, room: Path) -> Wanted:
    """Return what `model` names: a folder (from the room, then from the working directory), else an id.

    Raises:
        EndpointError: a path with no folder, or a folder without weights.
    """
    given = expand(model)
    folder = next((path for path in (room / given, given) if path.is_dir()), None)
    if folder is not None:
        folder = folder.resolve()
        adapter = (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()
        return Wanted(str(folder), model_name(folder), fingerprint_weights(folder), adapter)
    if isinstance(model, Path) or given.is_absolute() or str(model).startswith("."):
        raise EndpointError("no such folder", place=model, mend="Name a checkpoint's folder, or a model id.")
    return Wanted(str(model), str(model))
