"""One training: Axolotl's process started, listened to, and ended.

The process is a group of its own, so that Ctrl-C in the terminal is ours to handle. It ends with `train`, however that
ends, and with this process: the launcher watches its standard input, whose other end we hold.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selftaught_builder.common.durable import sync_tree
from selftaught_builder.common.errors import SelftaughtError
from selftaught_builder.common.processes import kill_group
from selftaught_builder.common.secrets import without_keys
from selftaught_builder.training.environment import find_environment, trainer_files
from selftaught_builder.training.errors import TrainingFailedError, explain, explain_death
from selftaught_builder.training.render import MODEL, PREPARED

LOG, PROGRESS = "log.txt", "progress.jsonl"
SAVED = ("model", "adapter")
_STOP_SECONDS = 15.0
# A trainer whose builder was killed ends within some seconds of it; what it started may take its time.
_ORPHAN_SECONDS = 60.0
# A key goes to the trainer only where its YAML asks for what the key is for.
_KEYS = {"wandb_project": "WANDB_API_KEY", "comet_project_name": "COMET_API_KEY", "hub_model_id": "HF_TOKEN"}


@dataclass(frozen=True)
class Progress:
    """A logged training step.

    Attributes:
        step: optimizer steps done.
        steps: optimizer steps in all, None where Axolotl decides.
        loss: the mean training loss since the last logged step, in nats per token.
        learning_rate: the rate of this step.
        tokens_per_second: trained tokens per second and device, None where the YAML does not ask for it.
    """

    step: int
    steps: int | None
    loss: float
    learning_rate: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        model: the checkpoint's folder, complete with its tokenizer; an adapter is merged into it.
        adapter: the adapter's own folder where one was trained.
        rows: rows trained on, fewer than the version's where some were longer than sequence_len (with sample packing,
            sequences); None where another launcher than `python` was used.
        losses: (step, loss) of each logged step.
        seconds: wall time, the start of the process included; without it where it was found finished.
        version: Axolotl's version.
    """

    model: Path
    adapter: Path | None
    rows: int | None
    losses: Sequence[tuple[int, float]] = field(repr=False)
    seconds: float
    version: str


@dataclass(frozen=True)
class Trainer:
    """Axolotl in its own environment.

    Attributes:
        python: the environment's interpreter.
        version: Axolotl's version.
        device: what trains, `cpu` or `gpu`; with `cpu` a GPU that is there stays unused.
    """

    python: Path
    version: str
    device: str

    @classmethod
    def find(cls, room: Path | None = None, device: str = "auto") -> Trainer:
        """Find the trainer; `environment.find_python` says where.

        Args:
            room: the recipe's folder.
            device: `cpu`, `gpu`, or `auto`: what is there.

        Raises:
            TrainingError: Axolotl is not installed; the message says which command installs it.
        """
        found = find_environment(room)
        return cls(found.python, found.version, found.device if device == "auto" else device)

    def check(self, yaml: Path, capabilities: Mapping[str, Any] | None = None) -> None:
        """Check an Axolotl YAML against Axolotl's own schema: unknown keys, names and values.

        Args:
            yaml: the file.
            capabilities: the machine to judge for, such as {"n_gpu": 8, "compute_capability": "sm_90"}; what it leaves
                out is an A100's. This machine where None.

        Raises:
            TrainingError: something in it is wrong; the message names the key.
        """
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, LOG)
            command = [*self._command("check", yaml), "--log", str(log)]
            if capabilities is not None:
                command += ["--capabilities", json.dumps(dict(capabilities))]
            with _started(command, self._environment(yaml)) as process:
                events = list(_events(process.stdout))
                code = process.wait()
            _raise_failure(events, code, yaml, log, place=yaml)  # this log does not stay

    def train(
        self,
        yaml: Path,
        folder: Path,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        *,
        launcher: str = "python",
        launcher_args: Sequence[str] = (),
        lock: int | None = None,
    ) -> Trained:
        """Check the YAML, train, and merge the adapter where there is one.

        What an earlier, broken try left in `folder` is removed: Axolotl would read half-prepared data and old checkpoints.

        Args:
            yaml: the Axolotl YAML that `render_yaml` wrote for this folder.
            folder: the training's own; log.txt, progress.jsonl, prepared/ and model/ go there.
            on_progress: called with each logged step.
            launcher: how Axolotl starts its processes: `python`, `accelerate` or `torchrun`.
            launcher_args: arguments for accelerate or torchrun.
            lock: what `only_trainer` yields for this folder; the trainer's process inherits it.

        Raises:
            TrainingError: the YAML is wrong, or the base model is missing.
            TrainingFailedError: training diverged, ran out of memory, was killed, or left no model.
        """
        log = folder / LOG
        log.unlink(missing_ok=True)
        for left in (MODEL, PREPARED):
            shutil.rmtree(folder / left, ignore_errors=True)
        cache = {"HF_DATASETS_CACHE": str(folder.absolute() / PREPARED / "cache")}
        environment = {**cache, **self._environment(yaml)}
        command = [*self._command("train", yaml), "--log", str(log), "--launcher", launcher, "--", *launcher_args]
        began, events = time.monotonic(), []
        with (
            (folder / PROGRESS).open("w", encoding="utf-8") as kept,
            _started(command, environment, () if lock is None else (lock,)) as process,
        ):
            for event in _events(process.stdout):
                if (
                    event["event"] == "done"
                ):  # once that is written down, a later run relies on it, wherever the folder is then
                    sync_tree(folder / MODEL)
                    event |= {name: os.path.relpath(event[name], folder) for name in SAVED if event[name]}
                kept.write(json.dumps(event) + "\n")
                kept.flush()
                events.append(event)
                if event["event"] == "step":
                    on_progress(_progress(event))
            code = process.wait()
        trained = _trained(folder, events, self.version, time.monotonic() - began)
        if trained is None:  # else its exit status says nothing more: torch may crash as its interpreter is taken down
            _raise_failure(events, code, yaml, log)
            raise explain_death(code, yaml, log)
        return trained

    def finished(self, folder: Path) -> Trained | None:
        """Return what a finished training left in its folder, None where it was broken off or its model is gone.

        A builder may die after its trainer is done and before it has recorded that.
        """
        try:
            with (folder / PROGRESS).open("rb") as kept:
                left = _trained(folder, list(_events(kept)), self.version)
        except OSError:
            return None
        return left if left and left.model.is_dir() else None

    def _command(self, command: str, yaml: Path) -> list[str]:
        launcher = trainer_files() / "launch.py"
        return [str(self.python), str(launcher), command, str(yaml.absolute()), "--parent", str(os.getpid())]

    def _environment(self, yaml: Path) -> dict[str, str]:
        """Return the process's variables: no telemetry, threads that sleep when idle, no hub and no key without need."""
        said, local = _read(yaml), _is_local(yaml)
        keep = {variable for key, variable in _KEYS.items() if said.get(key)} | (set() if local else {"HF_TOKEN"})
        quiet = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "TOKENIZERS_PARALLELISM": "false"}
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if local else {}
        private = {"AXOLOTL_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        device = {"CUDA_VISIBLE_DEVICES": ""} if self.device == "cpu" else {}
        # Axolotl looks for torchrun on the path.
        path = os.pathsep.join([str(self.python.parent), os.environ.get("PATH", os.defpath)])
        own = {"PATH": path, "PYTHONUNBUFFERED": "1"}
        environment = {**offline, **quiet, **without_keys(os.environ, keep), **private, **device, **own}
        # Without its own bytecode, each start spends 14 s of CPU more on compiling; and the launcher is of two files.
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONSAFEPATH"):
            environment.pop(name, None)
        return environment


@contextlib.contextmanager
def only_trainer(folder: Path) -> Iterator[int]:
    """Hold a training's folder against others, and yield the lock, for the trainer to inherit.

    It is held until the last process that has it is gone: where a builder is killed its trainer lives on for some seconds, and
    must not write into the folder of the next one.

    Raises:
        SelftaughtError: the trainer of a run that was killed does not end.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.with_name(folder.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SelftaughtError(
                        f"{folder}: the trainer of a run that was killed is still at work here\n"
                        "  Wait for it, or end it (`ps` shows it with this path), and run again."
                    ) from None
                time.sleep(0.1)
        yield lock
    finally:
        os.close(lock)


def _trained(
    folder: Path, events: Sequence[Mapping[str, Any]], version: str, seconds: float | None = None
) -> Trained | None:
    """Return what the events tell of a finished training, None where it did not come to its end."""
    done = next((event for event in events if event["event"] == "done"), None)
    if done is None:
        return None
    rows = next((event["rows"] for event in events if event["event"] == "start"), None)
    losses = [(event["step"], event["loss"]) for event in events if event["event"] == "step"]
    adapter = folder / done["adapter"] if done["adapter"] else None
    took = done.get("seconds", 0.0) if seconds is None else seconds
    return Trained(folder / done["model"], adapter, rows, losses, took, version)


def _progress(event: Mapping[str, Any]) -> Progress:
    rate, speed = event.get("learning_rate"), event.get("tokens_per_second")
    return Progress(event["step"], event["steps"], event["loss"], rate, speed)


def _raise_failure(
    events: Sequence[Mapping[str, Any]], code: int, yaml: Path, log: Path, place: Path | None = None
) -> None:
    failed = next((event for event in events if event["event"] == "failed"), None)
    if failed is not None:
        raise explain(failed, yaml, log, place)
    if code:
        raise explain_death(code, yaml, log, place)


def _events(lines: Iterable[bytes] | None) -> Iterator[dict[str, Any]]:
    for line in lines or ():
        try:
            event = json.loads(line)
        except ValueError:  # cut short by a kill; whatever follows is read all the same, for a full pipe would block
            continue
        if isinstance(event, dict) and "event" in event:
            yield event


@contextlib.contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str], inherited: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the launcher while the block does; afterwards nothing of its group is left."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            pass_fds=inherited,
        )
    except OSError as error:
        raise TrainingFailedError(f"the trainer does not start: {error}", place=command[0]) from None
    try:
        yield process
    finally:
        _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the group: preparing data starts processes that outlive the one we started.

    No SIGTERM comes first: it would end the launcher before the launcher has ended those in other sessions.
    """
    if process.poll() is None and process.stdin is not None:
        process.stdin.close()  # the launcher then ends all below it, also what torchrun put into other sessions
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    kill_group(process)


def _is_local(yaml: Path) -> bool:
    """Whether the base model, by what the YAML says, is a folder here."""
    try:
        return Path(str(_read(yaml)["base_model"])).is_dir()
    except (OSError, ValueError, KeyError):
        return False


def _read(yaml: Path) -> dict[str, Any]:
    """Return what a YAML says; nothing where it cannot be read, which the trainer then says itself."""
    import yaml as parser

    try:
        said = parser.safe_load(yaml.read_text(encoding="utf-8"))
    except (OSError, ValueError, parser.YAMLError):
        return {}
    return said if isinstance(said, dict) else {}
