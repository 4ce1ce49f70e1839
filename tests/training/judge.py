"""Judge Axolotl YAMLs and command lines with the launcher's check and Axolotl itself; run by the trainer's interpreter.

Reads JSON from standard input: [{"yaml": text, "capabilities": {...} or null, "command": [...] or null}, ...].
Writes for each what is wrong with the YAML, or what Axolotl would start for the command, or null.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "train"))
import check_yaml


class StartedError(Exception):
    pass


def start(file, arguments, environment):
    raise StartedError(arguments)


def judge(case):
    if case.get("command"):
        from axolotl.cli.main import cli

        with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
            command = [file.name if word == "FILE" else word for word in case["command"][1:]]
            try:
                cli(command, standalone_mode=False)
            except StartedError as started:
                return [word if word != file.name else "FILE" for word in started.args[0]]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(case["yaml"])
        file.flush()
        try:
            check_yaml.check(check_yaml.read(file.name), case.get("capabilities"))
        except check_yaml.LaunchError as failure:
            return failure.event
    return None


def main():
    answer = os.dup(1)
    os.dup2(2, 1)
    os.execvpe = start
    found = [judge(case) for case in json.load(sys.stdin)]
    os.write(answer, (json.dumps(found) + "\n").encode())


main()
