"""The thin launcher: checks an Axolotl YAML, trains with Axolotl, and says what happens as JSON lines on standard output.

    python launch.py check FILE [--capabilities JSON]
    python launch.py train FILE --log LOG [--parent PID] [--launcher torchrun -- --nproc_per_node 8]

It runs in the trainer's environment and imports nothing of the builder. With the launcher `python` it trains in this very
process, because importing Axolotl costs 11 to 16 seconds of CPU; what runs is `axolotl train FILE --launcher python`,
and then `axolotl merge-lora FILE` where an adapter was trained. The other launchers run as `axolotl train FILE
--launcher NAME -- ARGUMENTS` in a process of their own. All other output, Axolotl's above all, goes to the log.

With `--parent PID` everything ends as soon as that process does: its end of our standard input closes, or our parent's
id changes.

Events: start {steps, rows}, step {step, steps, loss, learning_rate, grad_norm, tokens_per_second}, done {model, adapter},
and failed {kind, text, key, mend, step}, whose kind is yaml, diverged, memory, disk, base_model, environment,
data, output or other.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from check_yaml import LaunchError, check, read

POLL_SECONDS = 0.5
GRACE_SECONDS = 10.0


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return 0, or 1 after a `failed` event."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    say = _redirect_output(options.log)
    if options.parent:
        threading.Thread(target=_end_with_parent, args=[options.parent], daemon=True).start()
    try:
        raw = read(options.file)
        check(raw, json.loads(options.capabilities) if options.capabilities else None)
        if options.command == "train":
            _train(options, raw, say)
    except LaunchError as failure:
        say("failed", **failure.event)
        return 1
    except (Exception, SystemExit) as error:
        import traceback

        traceback.print_exc()
        say("failed", **_classify(f"{type(error).__name__}: {error}"))
        return 1
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="launch.py", description="Check an Axolotl YAML, or train with it.")
    parser.add_argument("command", choices=["check", "train"])
    parser.add_argument("file", help="an Axolotl YAML")
    parser.add_argument("--capabilities", help='judge for another machine: {"n_gpu": 8, "compute_capability": "sm_90"}')
    parser.add_argument("--log", help="append Axolotl's output to this file instead of standard error")
    parser.add_argument("--parent", type=int, help="end with this process")
    parser.add_argument("--launcher", choices=["python", "accelerate", "torchrun"], default="python")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:end])
    options.launcher_args = arguments[end + 1 :]
    return options


def _redirect_output(log: str | None) -> typing.Callable[..., None]:
    """Send all output to the log; return a function that writes an event to what was standard output."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else os.dup(2)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)

    def say(event: str, **more: Any) -> None:
        events.write(json.dumps({"event": event, **more}) + "\n")
        events.flush()

    return say


# Training


def _train(options: argparse.Namespace, raw: Mapping[str, Any], say: typing.Callable[..., None]) -> None:
    from axolotl.cli.main import cli

    began = time.monotonic()
    output = Path(str(raw.get("output_dir") or "./model-out"))
    arguments = ["train", options.file, "--launcher", options.launcher]
    if options.launcher == "python":
        _install_reporter(say)
        sys.argv = ["axolotl", *arguments]  # Axolotl reads it a second time
        cli(arguments, standalone_mode=False)
    else:
        command = [str(Path(sys.executable).with_name("axolotl")), *arguments, "--", *options.launcher_args]
        _run(command, raw, say)
    adapter = output if (output / "adapter_config.json").is_file() else None
    _check_weights(output)
    if adapter:
        sys.argv = ["axolotl", "merge-lora", options.file]
        cli(sys.argv[1:], standalone_mode=False)
        output = adapter / "merged"
        _check_weights(output)
    seconds = round(time.monotonic() - began, 3)
    say("done", model=str(output), adapter=str(adapter) if adapter else None, seconds=seconds)


def _install_reporter(say: typing.Callable[..., None]) -> None:
    """Make Axolotl report each logged step, through a plugin that the YAML need not name."""
    from axolotl.integrations.base import BasePlugin, PluginManager
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        rows: int | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            say("start", steps=state.max_steps, rows=self.rows)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            if "loss" in (logs or {}):
                _report(say, state.global_step, state.max_steps, logs)

    class Plugin(BasePlugin):
        def post_trainer_create(self, cfg: Any, trainer: Any) -> None:
            trainer.args.logging_nan_inf_filter = False  # it would write the last finite loss over a NaN
            reporter = Reporter()
            if hasattr(trainer.train_dataset, "__len__"):  # a streamed one has none
                reporter.rows = len(trainer.train_dataset)
            trainer.add_callback(reporter)

    PluginManager.get_instance().plugins["selftaught.reporter"] = Plugin()


def _report(say: typing.Callable[..., None], step: int, steps: int | None, logs: Mapping[str, Any]) -> None:
    """Say what a step's log line holds.

    Raises:
        LaunchError: the loss, or the gradient's norm, is no number any more.
    """
    loss, norm = float(logs["loss"]), float(logs.get("grad_norm") or 0.0)
    if not math.isfinite(loss) or math.isnan(norm):
        shown = f"loss {loss}, gradient norm {norm}"
        raise LaunchError("diverged", f"training diverged at step {step} ({shown})", step=step)
    more = {name: float(logs[name]) for name in ("learning_rate",) if name in logs}
    rate = logs.get("tokens/train_per_sec_per_gpu")
    more["tokens_per_second"] = float(rate) if rate is not None else None
    say("step", step=step, steps=steps, loss=loss, grad_norm=norm if math.isfinite(norm) else None, **more)


_LOGGED = re.compile(r"\{[^{}\n]*'loss':[^{}\n]*\}")
_VALUE = re.compile(r"'([\w/]+)': '?(-?(?:nan|inf|\d+(?:\.\d*)?(?:e[-+]?\d+)?))'?(?=[,}])")


def _run(command: list[str], raw: Mapping[str, Any], say: typing.Callable[..., None]) -> None:
    """Run Axolotl's own launcher, copy its output to ours, and report the log lines in it."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None  # noqa: S101 - it is a pipe; said for the type checker
    steps = raw.get("max_steps")
    every = raw.get("logging_steps") or max(1, min(10, (steps or 0) // 200))  # Axolotl's own default
    say("start", steps=steps, rows=None)
    tail, logged = "", 0
    try:
        while block := os.read(process.stdout.fileno(), 65536):
            os.write(1, block)
            tail += block.decode("utf-8", "replace")
            end = 0
            for match in _LOGGED.finditer(tail):
                values = dict(_VALUE.findall(match[0]))
                end = match.end()
                if "loss" in values:
                    logged += 1
                    _report(say, logged * every, steps, values)
            tail = tail[max(end, len(tail) - 20_000) :]
        code = process.wait()
    finally:
        _end_descendants()
    if code:
        raise LaunchError(**_classify(tail, code))


def _check_weights(output: Path) -> None:
    """Look at every saved tensor.

    Raises:
        LaunchError: there are none, or one holds what is no number.
    """
    from safetensors import safe_open

    files = sorted(output.glob("*.safetensors"))
    if not files:
        raise LaunchError("output", f"Axolotl ended without weights in {output}")
    for file in files:
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no mapping
                tensor = tensors.get_tensor(name)
                if tensor.is_floating_point() and not tensor.isfinite().all():
                    raise LaunchError("diverged", f"training diverged: {name} holds what is no number")


# Failing and ending

_SIGNS = {
    "disk": r"No space left on device|Disk quota exceeded",
    "memory": r"out of memory|OutOfMemoryError|MemoryError|can't allocate memory|Cannot allocate memory"
    r"|CUBLAS_STATUS_ALLOC_FAILED|Signal 9 \(SIGKILL\)|exitcode\s*: -9",
    "base_model": r"Can't load the (?:configuration|model)|Can't load tokenizer"
    r"|is not a local folder and is not a valid model identifier|Unrecognized model in|OfflineModeIsEnabled"
    r"|LocalEntryNotFoundError|does not appear to have a file named|Repository Not Found|gated repo"
    r"|Error no file named|couldn't connect to|chat_template is null",
    "data": r"dataset could not be loaded|no samples left|num_samples=0|Couldn't find any data file|doesn't exist on the Hub",
}


def _classify(text: str, code: int | None = None) -> dict[str, Any]:
    """Turn an error's text into an event: what kind of failure it is, and its last line."""
    kind = next((kind for kind, sign in _SIGNS.items() if re.search(sign, text, re.IGNORECASE)), "other")
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?:\[rank\d+\]:\s*)?[\w.]*(?:Error|Exception)\b", line)]
    shown = (errors or lines or ["Axolotl said nothing"])[0 if code is None else -1]
    return {"kind": kind, "text": shown[:500]}


def _end_with_parent(parent: int) -> None:
    """Wait until the parent is gone, and then end this process and all that it started."""
    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], POLL_SECONDS)
        if readable and not os.read(0, 1024):
            break
    try:
        _end_descendants()
    finally:
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


def _end_descendants() -> None:
    """End every process below this one, politely first: torchrun puts its workers into sessions of their own."""
    import psutil

    below = psutil.Process().children(recursive=True)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in below:
            try:
                process.send_signal(number)
            except psutil.Error:
                continue
        _, below = psutil.wait_procs(below, timeout=GRACE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
