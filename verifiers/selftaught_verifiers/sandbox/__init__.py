"""Running a Python program that a model wrote, so that it can do nothing but compute and print.

A program runs in a process of its own, without the environment, in an empty folder that is deleted after it, under the
kernel's limits on time, memory, files and output. `seconds` counts from the program's first line; then the whole
process group is killed. On top of that stands what the machine has, probed once by trying it:

- `bwrap` (bubblewrap): own namespaces, and a file system that holds `/usr`, the libraries and Python, nothing else;
- `namespace`, where there is no bubblewrap: own user, network, process, mount and IPC namespaces. All files are
  read-only but for the program's folder, a memory file system of 64 MiB; whatever the program starts dies with it;
- `landlock`: of the files, only Python's library and the system's libraries can be read, only the folder written;
- `seccomp` (x86_64 and aarch64): no sockets, no new processes or programs, no signals to others, no ptrace, mounts,
  namespaces, io_uring, keys, BPF or shared memory.

What is not prevented. With `seccomp` alone (no bubblewrap, namespaces or Landlock) a program can read and write every
file that its user can, outside its folder too. With namespaces alone it can read such files (not write them) and
reach Unix sockets that have a path. Only with `namespace` is the disk space it can fill bounded as a whole, not a
file at a time. A user's limit on processes does not hold for root; `seccomp` does. A kernel's bug is no one's fault here:
this is a fence around careless and mischievous programs, not around an attacker who owns an exploit; for those, take
a virtual machine.
"""

from selftaught_verifiers.sandbox.outside import (
    MECHANISMS,
    Finished,
    NoSandbox,
    confine,
    fenced,
    run,
    working,
)

__all__ = ["MECHANISMS", "Finished", "NoSandbox", "confine", "fenced", "run", "working"]
