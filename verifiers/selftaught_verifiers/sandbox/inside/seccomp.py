"""Seccomp: a filter on system calls that leaves computing, files and threads (seccomp(2), on x86_64 and aarch64).

The filter is a list of what is refused, since a list of what Python may need would break with every C library. What
is refused gets EPERM, an ordinary `PermissionError`. Numbers: the kernel's `asm/unistd_64.h` and
`asm-generic/unistd.h`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from dataclasses import dataclass

from .kernel import syscall

_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _HAS_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_CLONE_THREAD, _SOCK_TYPE, _SOCK_STREAM = 0x10000, 0xF, 1
_X32 = 0x40000000

# name: x86_64, aarch64 (None where it does not exist)
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # network
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setpriority": (141, 140),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    # new processes, and leaving the process group that is killed at the end
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    # another view of the system
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # large or unfiltered parts of the kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # memory that no limit counts, or that outlives the process
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
}


@dataclass(frozen=True)
class _Machine:
    column: int
    architecture: int
    seccomp: int
    clone: int
    kill: int
    tgkill: int
    prlimit: int
    socketpair: int
    clone3: int = 435


_MACHINES = {
    "x86_64": _Machine(0, 0xC000003E, 317, clone=56, kill=62, tgkill=234, prlimit=302, socketpair=53),
    "aarch64": _Machine(1, 0xC00000B7, 277, clone=220, kill=129, tgkill=131, prlimit=261, socketpair=199),
}


def restrict() -> None:
    """Refuse these calls to all threads of this process from now on; it must have given up its privileges.

    Raises:
        OSError: the kernel has no seccomp, or the machine is another one.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, f"no system call filter for {os.uname().machine}")
    steps = _filter(machine, os.getpid())
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    # With the flag for all threads a failure is the id of a thread that could not follow, a positive number.
    if syscall(machine.seccomp, _SET_MODE_FILTER, _ALL_THREADS, program):
        raise OSError(errno.ESRCH, "a thread could not be filtered")


Step = tuple[int, int, int, int]
"""Operation, steps to skip where it holds, steps to skip where it does not, operand."""


def _filter(machine: _Machine, own: int) -> list[Step]:
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    steps: list[Step] = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, machine.architecture), (_RETURN, 0, 0, _KILL)]
    steps.append((_LOAD, 0, 0, _NUMBER))
    if machine.column == 0:
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    for numbers in _REFUSED.values():
        number = numbers[machine.column]
        if number is not None:
            steps += [(_EQUAL, 0, 1, number), refuse]
    # The C library takes this for an old kernel and calls clone, whose flags a filter can see.
    steps += [(_EQUAL, 0, 1, machine.clone3), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    steps += _only(machine.clone, 0, [(_HAS_BIT, 1, 0, _CLONE_THREAD), refuse])
    steps += _only(machine.kill, 0, [(_EQUAL, 1, 0, own), refuse])
    steps += _only(machine.tgkill, 0, [(_EQUAL, 1, 0, own), refuse])
    steps += _only(machine.prlimit, 0, [(_EQUAL, 2, 0, 0), (_EQUAL, 1, 0, own), refuse])
    # asyncio's own pipe; a pair of another type could be connected to a socket outside.
    steps += _only(machine.socketpair, 1, [(_AND, 0, 0, _SOCK_TYPE), (_EQUAL, 1, 0, _SOCK_STREAM), refuse])
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _only(number: int, argument: int, checks: list[Step]) -> list[Step]:
    """Allow a call where `checks` on one of its arguments jump over the refusal that is their last step."""
    block = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), *checks, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(block), number), *block]
