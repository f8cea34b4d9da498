"""Checks of the state directory: findings wait there, and must outlive a power cut."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config.load import default_state_dir
from edge.device.storage import (
    NETWORK_FILESYSTEMS,
    VOLATILE_FILESYSTEMS,
    filesystem_type,
    fsync_fault,
    nearest_existing_folder,
)
from edge.doctor.check import ok, warning, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.settings import Settings
    from edge.doctor.check import Check

GROUP = "disk"


def check_storage(settings: Settings) -> Iterator[Check]:
    """Check the state directory: can it be written, does it last, is there room for what may wait there."""
    path = Path(settings.state_dir or default_state_dir())
    here = nearest_existing_folder(path)
    yield _check_ownership(path, here)
    kind = filesystem_type(here)
    if kind in VOLATILE_FILESYSTEMS:
        yield warning(
            GROUP,
            "file system",
            f"{here} lies {VOLATILE_FILESYSTEMS[kind]} ({kind}): what is found is gone with it",
            "set state_dir to a folder on a disk, or mount one there",
        )
    elif kind is not None and NETWORK_FILESYSTEMS.match(kind):
        yield warning(GROUP, "file system", f"{here} lies on the network ({kind})", "set state_dir to a local disk")
    else:
        yield ok(GROUP, "file system", kind or "not known")
    yield _check_room(settings, path, here)


def _check_ownership(path: Path, here: Path) -> Check:
    mend = "give another with state_dir or --state-dir, or mend its permissions"
    if path.exists() and not path.is_dir():
        return wrong(GROUP, "state directory", f"{path} is not a folder", "set state_dir to a folder")
    if here == path:
        found = path.stat()
        if found.st_uid != os.geteuid():
            owner = f"{path} belongs to user {found.st_uid}, we are {os.geteuid()}"
            return warning(GROUP, "state directory", owner, "run doctor as the user that the daemon runs as")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return wrong(GROUP, "state directory", f"{path} can be written by others", f"chmod 700 {path}")
    fault = fsync_fault(here)
    if fault is not None:
        below = "" if here == path else f", where {path} would be made"
        return wrong(GROUP, "state directory", f"{here}{below}: {fault}", mend)
    made = "" if here == path else " (it is made at the first start)"
    return ok(GROUP, "state directory", f"{path}{made}, writes and syncs")


def _check_room(settings: Settings, path: Path, here: Path) -> Check:
    budget_mb = settings.outbox.max_mb + settings.telemetry.max_mb
    used_mb = sum(file.stat().st_size for file in path.glob("*.sqlite3*")) / 1e6 if here == path else 0.0
    free_mb = shutil.disk_usage(here).free / 1e6
    need_mb = max(0.0, budget_mb - used_mb)
    text = f"{free_mb:,.0f} MB free, the outbox may yet take {need_mb:,.0f} MB"
    if free_mb < need_mb:
        return warning(GROUP, "room", text, "make room, or lower outbox.max_mb: a full disk takes no findings")
    return ok(GROUP, "room", text)
