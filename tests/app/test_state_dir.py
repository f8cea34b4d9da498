"""Owner and lock of the state directory: it is ours alone, or it is refused."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from edge.app.state_dir import StateDirLock, held_state_dir, locked_state_dir
from edge.contracts.errors import DeviceError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_one_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with locked_state_dir(tmp_path / "state") as path:
            assert path.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_one_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(DeviceError, match="can be written by others") as error, locked_state_dir(path):
        pass
    assert "chmod 700" in error.value.hint
    assert list(path.iterdir()) == []
    path.chmod(0o755)
    with locked_state_dir(path):
        pass


def test_one_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    with pytest.raises(DeviceError, match="belongs to another user"), locked_state_dir(path):
        pass


def test_a_lock_file_that_is_removed_is_made_anew_and_locked(tmp_path: Path) -> None:
    with held_state_dir(tmp_path / "state") as lock:
        lock.check()
        (tmp_path / "state" / "lock").unlink()
        lock.check()
        with pytest.raises(DeviceError, match=f"in use by another daemon .process {os.getpid()}."):
            StateDirLock(tmp_path / "state")
        (tmp_path / "other").write_bytes(b"")
        (tmp_path / "other").replace(tmp_path / "state" / "lock")
        lock.check()
        with pytest.raises(DeviceError, match="in use by another daemon"):
            StateDirLock(tmp_path / "state")


def test_a_lock_that_another_daemon_has_taken_meanwhile_is_lost(tmp_path: Path) -> None:
    with held_state_dir(tmp_path / "state") as lock:
        (tmp_path / "state" / "lock").unlink()
        with held_state_dir(tmp_path / "state"), pytest.raises(DeviceError, match="in use by another daemon"):
            lock.check()


@pytest.mark.parametrize("how", ["removed", "moved", "replaced", "a file"])
def test_a_directory_that_is_taken_away_is_noticed(tmp_path: Path, how: str) -> None:
    path = tmp_path / "state"
    with held_state_dir(path) as lock:
        if how == "moved":
            path.rename(tmp_path / "elsewhere")
        else:
            shutil.rmtree(path)
        if how == "replaced":
            path.mkdir(mode=0o700)
        elif how == "a file":
            path.write_bytes(b"")
        with pytest.raises(DeviceError, match="was removed, moved or replaced") as error:
            lock.check()
        assert error.value.hint
        assert path.is_dir() == (how == "replaced")  # it is not made anew
