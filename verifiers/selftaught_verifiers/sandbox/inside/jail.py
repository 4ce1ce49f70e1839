"""The sandboxed process's first steps: read the orders, put up the fences, run the program."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn

from . import harness, kernel, landlock, namespaces, seccomp


def main() -> None:
    """Do what the orders say; the arguments are the descriptors of the orders and of the report.

    Where a fence cannot be put up the program is not run, and the report says why.
    """
    with open(int(sys.argv[1]), encoding="utf-8") as file:
        orders = json.load(file)
    tell = harness.teller(int(sys.argv[2]), orders.pop("token"))
    try:
        kernel.die_with_parent()
        if "namespace" in orders["fences"]:
            namespaces.enter(orders["folder"], orders["disk"])
            _continue_as_child(int(sys.argv[2]))
        _fence_in(orders)
    except (OSError, ValueError) as error:
        tell(refused=str(error))
        os._exit(1)
    # Also proves that the parent lives: where it died before it could be watched, this write fails.
    tell(started=True)
    if orders["tests"] is None:
        harness.run_program(orders["program"], tell)
    harness.run_tests(orders["program"], orders["tests"], tell)


def _continue_as_child(report: int) -> None:
    """Return in a new process; this one waits for it and ends as it does."""
    child = os.fork()
    if child:
        _end_as(child, report)
    kernel.die_with_parent()


def _end_as(child: int, report: int) -> NoReturn:
    for descriptor in (0, 1, 2, report):
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _fence_in(orders: dict[str, Any]) -> None:
    os.umask(0o077)
    os.chdir(orders["folder"])
    kernel.give_up_privileges()
    for name, value in orders["limits"].items():
        _limit(getattr(resource, name), value)
    if "landlock" in orders["fences"]:
        landlock.restrict(orders["readable"], ["/dev/null", orders["folder"]])
    if "seccomp" in orders["fences"]:
        seccomp.restrict()


def _limit(kind: int, value: int) -> None:
    _, highest = resource.getrlimit(kind)
    value = value if highest == resource.RLIM_INFINITY else min(value, highest)
    resource.setrlimit(kind, (value, value))
