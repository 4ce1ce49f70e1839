"""Linux namespaces: an own network without devices, an own process table, and a view of the files that is read-only.

Calls and constants: unshare(2), user_namespaces(7), mount_setattr(2).
"""

from __future__ import annotations

import ctypes
import os

from .kernel import call, syscall

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1


def enter(folder: str, size: int) -> None:
    """Move this process into namespaces of its own; its next child is the first process of the new process table.

    Args:
        folder: the only place that can be written: an empty memory file system.
        size: its bytes.

    Raises:
        OSError: the machine does not allow it; the process may be half moved and is of no more use.
    """
    user, group = os.getuid(), os.getgid()
    call("unshare", _NEWUSER | _NEWNET | _NEWPID | _NEWNS | _NEWIPC | _NEWUTS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    read_only = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, read_only, ctypes.sizeof(read_only))
    options = f"size={size},nr_inodes=4096,mode=700".encode()
    call("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", _MS_NOSUID | _MS_NODEV, options)
