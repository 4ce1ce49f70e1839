"""A stand-in for the trainer's interpreter: it says what the launcher would, and fails as $STAND_IN_TRAINER tells it to.

`half`: it is killed while it saves. `crash`: it crashes after all is done. `noise`: what it says is not all events. `slow`: it
takes its time, saves what the data determines, and where its builder is killed it goes on and spoils what it saved.
"""

import hashlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

PIECES, PAUSE = 5, 0.05
FAULT = os.environ.get("STAND_IN_TRAINER", "")


def say(event, **more):
    """Print an event; return whether anybody listens."""
    try:
        print(json.dumps({"event": event, **more}), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return False
    return True


def save_slowly(model, yaml):
    data = Path(re.search(r"path: (\S+)", yaml)[1])
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(data.rglob("*.parquet")))).hexdigest()
    for step in range(1, PIECES + 1):
        time.sleep(PAUSE)
        append(model, f"{step}: {digest}\n")
        if not say("step", step=step, steps=PIECES, loss=1 / step):
            for _ in range(4 * PIECES):
                time.sleep(PAUSE)
                append(model, "spoilt\n")
            return
    say("done", model=str(model), adapter=None)


def append(model, text):
    model.mkdir(parents=True, exist_ok=True)
    with (model / "model.safetensors").open("a") as file:
        file.write(text)


def main():
    if sys.argv[1] == "-I":  # asked for its packages
        print(json.dumps({"axolotl": "0.0", "torch": "0.0+cpu"}))
        return
    model = Path(sys.argv[3]).parent / "model"
    model.mkdir()
    with (model.parent.parent / "trained").open("a") as file:
        file.write(model.parent.name + "\n")
    if FAULT == "noise":
        print('not JSON\n{"event": "st\n[1]\n3\n{}\n' + "\n".join("x" * 1000 for _ in range(200)), flush=True)
    say("start", steps=2, rows=3)
    if FAULT == "slow":
        save_slowly(model, Path(sys.argv[3]).read_text())
        return
    (model / "model.safetensors").write_bytes(b"half")
    if FAULT == "half":
        os.kill(os.getpid(), signal.SIGKILL)
    (model / "model.safetensors").write_bytes(b"half and half")
    say("step", step=2, steps=2, loss=0.5)
    say("done", model=str(model), adapter=None)
    if FAULT == "crash":
        os.kill(os.getpid(), signal.SIGABRT)


main()
