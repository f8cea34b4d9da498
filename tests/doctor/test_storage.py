"""Checks of state directories that are well, and of those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_checks import marks, only

from edge.config.settings import OutboxSettings, Settings
from edge.doctor import storage


def test_a_disk_that_is_fine(tmp_path: Path) -> None:
    found = marks(
        storage.check_storage(Settings(state_dir=str(tmp_path / "a" / "state"), outbox=OutboxSettings(max_mb=1)))
    )
    assert found["state directory"] == "ok"
    assert not (tmp_path / "a").exists()  # looking changes nothing


def test_disks_that_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    assert only(storage.check_storage(Settings(state_dir=str(file))), "state directory").mark == "wrong"
    assert only(storage.check_storage(Settings(state_dir="/proc/here")), "state directory").mark == "wrong"
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert "others" in only(storage.check_storage(Settings(state_dir=str(shared))), "state directory").text
    crowded = Settings(state_dir=str(tmp_path), outbox=OutboxSettings(max_mb=1e12))
    assert only(storage.check_storage(crowded), "room").mark == "warning"
    for kind in ("tmpfs", "overlay", "nfs4"):
        monkeypatch.setattr(storage, "filesystem_type", lambda path, kind=kind: kind)
        assert only(storage.check_storage(Settings(state_dir=str(tmp_path))), "file system").mark == "warning"


SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (nothing is left there)


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="no tmpfs to look at")
def test_a_real_tmpfs_is_noticed() -> None:
    check = only(storage.check_storage(Settings(state_dir=str(SHARED_MEMORY / "state"))), "file system")
    assert (check.mark, "tmpfs" in check.text) == ("warning", True)
