"""Owner and lock of the state directory: it is ours alone, or it is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from edge.app.state_dir import locked_state_dir
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
