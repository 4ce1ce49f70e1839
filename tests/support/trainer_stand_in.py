"""A stand-in for the trainer's interpreter: it says what the launcher would, and fails as $STAND_IN_TRAINER tells it to.

`half`: it is killed while it saves. `crash`: it crashes after all is done. `noise`: what it says is not all events.
"""

import json
import os
import signal
import sys
from pathlib import Path

FAULT = os.environ.get("STAND_IN_TRAINER", "")


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def main():
    if sys.argv[1] == "-I":  # asked for its packages
        print(json.dumps({"axolotl": "0.0", "torch": "0.0+cpu"}))
        return
    model = Path(sys.argv[3]).parent / "model"
    model.mkdir()
    with (model.parent.parent / "trained").open("a") as file:
        file.write("once more\n")
    if FAULT == "noise":
        print('not JSON\n{"event": "st\n[1]\n3\n{}\n' + "\n".join("x" * 1000 for _ in range(200)), flush=True)
    say("start", steps=2, rows=3)
    (model / "model.safetensors").write_bytes(b"half")
    if FAULT == "half":
        os.kill(os.getpid(), signal.SIGKILL)
    (model / "model.safetensors").write_bytes(b"half and half")
    say("step", step=2, steps=2, loss=0.5)
    say("done", model=str(model), adapter=None)
    if FAULT == "crash":
        os.kill(os.getpid(), signal.SIGABRT)


main()
