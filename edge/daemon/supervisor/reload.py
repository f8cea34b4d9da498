"""Reload of the configuration: the job as it now is, if a running daemon can go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.daemon.job import DaemonJob


def reloaded_job(reload: Callable[[], DaemonJob] | None, running: DaemonJob) -> DaemonJob:
    """Job as the configuration now is. Raises `EdgeError` where the daemon cannot go on with it."""
    if reload is None:
        raise ConfigError("this daemon has no configuration to reload", hint="restart it")
    job = reload()
    for name in ("site", "device", "state_dir"):
        if getattr(job.settings, name) != getattr(running.settings, name):
            raise ConfigError(f"{name} has changed", hint="who and where a daemon is changes with a restart only")
    return job
