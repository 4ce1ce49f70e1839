"""Landlock: which files a process may read and write, for good (landlock(7); Linux 5.13 and later, where it is switched on)."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

from .kernel import syscall

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION, _PATH_BENEATH = 1, 1

_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _TRUNCATE = 1 << 7, 1 << 8, 1 << 14
_READ = _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE
_OF_FILES = _READ_FILE | _WRITE_FILE | _TRUNCATE
_ALL_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL = (1 << 16) - 1
_NO_TCP, _NO_SIGNALS_OR_SOCKETS_OUTSIDE = 3, 3


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Take from this thread and what it starts all files but these and what lies beneath them, if they exist.

    From version 4 on TCP is taken too, from version 6 on signals and abstract Unix sockets to processes outside.

    Raises:
        OSError: the kernel has no Landlock, or it is switched off.
    """
    version = syscall(_CREATE_RULESET, None, 0, _VERSION)
    handled = _ALL_BY_VERSION.get(version, _ALL)
    fields = [handled] + [_NO_TCP] * (version >= 4) + [_NO_SIGNALS_OR_SOCKETS_OUTSIDE] * (version >= 6)
    attributes = (ctypes.c_uint64 * len(fields))(*fields)
    rules = syscall(_CREATE_RULESET, attributes, ctypes.sizeof(attributes), 0)
    try:
        for paths, access in ((readable, _READ), (writable, _WRITE)):
            for path in paths:
                _allow(rules, path, access & handled)
        syscall(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES
        syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(_PathBeneath(access, place)), 0)
    finally:
        os.close(place)
