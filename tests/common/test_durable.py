"""What is to outlive a power cut is brought to the disk, as far as its file system can."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from selftaught_builder.common.durable import sync_tree


def refuse(monkeypatch: pytest.MonkeyPatch, code: int, *, folders: bool) -> list[str]:
    """Let fsync refuse folders, or all but folders; return the names of what it takes, which grows."""
    taken: list[str] = []

    def fsync(opened: int) -> None:
        if stat.S_ISDIR(os.fstat(opened).st_mode) == folders:
            raise OSError(code, os.strerror(code))
        taken.append(Path(os.readlink(f"/proc/self/fd/{opened}")).name)

    monkeypatch.setattr(os, "fsync", fsync)
    return taken


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows").write_text("x")
    return tmp_path


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_syncs_no_folders_is_no_failure(
    tree: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    taken = refuse(monkeypatch, code, folders=True)
    sync_tree(tree)
    assert taken == ["rows"]


@pytest.mark.parametrize(("code", "folders"), [(errno.EIO, True), (errno.ENOSPC, True), (errno.EINVAL, False)])
def test_what_does_not_reach_the_disk_is_a_failure(
    tree: Path, monkeypatch: pytest.MonkeyPatch, code: int, folders: bool
) -> None:
    refuse(monkeypatch, code, folders=folders)
    with pytest.raises(OSError, match=os.strerror(code)):
        sync_tree(tree)
