"""The stand-in for SGLang as the builder meets it: a package on the path of an interpreter, and a server to talk to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

STAND_IN = Path(__file__).parent / "sglang_stand_in"


def write_model(folder: Path, tensors: str, *, adapter_of: Path | str | None = None, **config: Any) -> Path:
    """Write what is, to the stand-in, a checkpoint, or a LoRA adapter of a base model."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "model" if adapter_of is None else "adapter_model"
    (folder / f"{name}.safetensors").write_text(tensors)
    if adapter_of is None:
        (folder / "config.json").write_text(json.dumps(config))
    else:
        config["base_model_name_or_path"] = str(adapter_of)
        (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment with the stand-in on Python's path."""
    return {**os.environ, "PYTHONPATH": str(STAND_IN), **changes}


@contextmanager
def running(port: int, *arguments: str, **changes: str) -> Iterator[str]:
    """Run the stand-in as a user would have started it; yield its root URL."""
    command = [sys.executable, "-m", "sglang.launch_server", "--port", str(port), *arguments]
    with subprocess.Popen(command, env=environment(**changes), stderr=subprocess.DEVNULL) as process:
        try:
            root = f"http://127.0.0.1:{port}"
            wait_until(lambda: seen(root))
            yield root
        finally:
            process.kill()


def seen(root: str) -> dict[str, Any]:
    """Return what a stand-in was asked: the paths, its command line and its process id; {} where it does not answer."""
    with suppress(OSError), urllib.request.urlopen(f"{root}/stand_in/requests", timeout=10) as reply:
        return json.load(reply)
    return {}


def post(url: str, body: dict[str, Any]) -> None:
    """Post JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60):
        pass


def wait_until(holds: Any, seconds: float = 30.0) -> Any:
    """Wait until `holds()` is true and return it; generous, as only that it comes true is asserted."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.05)
    return found


def gone(pid: int) -> bool:
    """Whether a process is no more, or a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
