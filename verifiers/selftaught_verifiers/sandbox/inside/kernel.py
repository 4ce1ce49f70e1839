"""The kernel's calls that Python has no name for."""

from __future__ import annotations

import ctypes
import os
import signal

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAPABILITY_VERSION_3 = 0x20080522


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library.

    Raises:
        OSError: it returned a negative number, or the library has no such function.
    """
    try:
        function = getattr(_LIBC, name)
    except AttributeError:
        raise OSError(0, f"no {name} in the C library") from None
    result = function(*(ctypes.c_long(each) if isinstance(each, int) else each for each in arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def syscall(number: int, *arguments: object) -> int:
    """Make a system call by its number; raises OSError where it fails."""
    return call("syscall", number, *arguments)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies."""
    call("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def give_up_privileges() -> None:
    """Give up all capabilities for good; a program that is executed later gets none back."""
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())
