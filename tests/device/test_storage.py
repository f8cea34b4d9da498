"""Where a folder lies, and whether it keeps what it is given."""

from __future__ import annotations

from pathlib import Path

from edge.device.storage import filesystem_type, fsync_fault, nearest_existing_folder

MOUNTS = """\
22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw
23 22 0:5 / /dev rw,nosuid - devtmpfs devtmpfs rw
24 22 0:40 / {folder}/var rw - tmpfs tmpfs rw
25 24 8:1 / {folder}/var/lib/with\\040space rw - ext4 /dev/sda1 rw
26 24 8:1 / {folder}/var/lib/with\\040space rw - btrfs /dev/sda2 rw
"""


def test_the_innermost_mount_counts_and_of_two_the_later(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(folder=tmp_path))
    inner = tmp_path / "var/lib/with space"
    inner.mkdir(parents=True)
    (tmp_path / "various").mkdir()
    assert filesystem_type(tmp_path, mounts) == "ext4"
    assert filesystem_type(tmp_path / "various", mounts) == "ext4"  # not below var
    assert filesystem_type(tmp_path / "var/lib", mounts) == "tmpfs"
    assert filesystem_type(inner, mounts) == "btrfs"
    assert filesystem_type(inner, tmp_path / "none") is None


def test_of_this_machine(tmp_path: Path) -> None:
    assert filesystem_type(Path("/proc")) == "proc"
    assert filesystem_type(tmp_path)


def test_a_folder_that_works_is_left_as_it_was(tmp_path: Path) -> None:
    assert fsync_fault(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_nothing() -> None:
    assert fsync_fault(Path("/proc")) is not None  # root may not write there either


def test_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert nearest_existing_folder(tmp_path / "a/b/c") == tmp_path
    assert nearest_existing_folder(tmp_path) == tmp_path
