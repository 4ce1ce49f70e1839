"""What has to outlive a power cut: files and names brought to the disk itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path

# What network and shared folders answer that sync no folder: they keep names in another way, or not at all.
_NO_FOLDERS = (errno.EINVAL, errno.ENOTSUP)


def sync_tree(folder: Path) -> None:
    """Bring all files below a folder, their names and the folder itself to the disk. Its own name is its parent's matter.

    Raises:
        OSError: the disk did not take them.
    """
    for path in (*folder.rglob("*"), folder):
        if path.is_file() or path.is_dir():
            sync(path)


def sync(path: Path) -> None:
    """Bring a file's content to the disk, or the names in a folder. Raises OSError where the disk does not take them."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in _NO_FOLDERS or path.is_file():
            raise
    finally:
        os.close(opened)
