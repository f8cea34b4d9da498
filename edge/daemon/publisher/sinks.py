"""Creates, opens and closes the configured sinks of the publisher; makes the MQTT last will that they are given."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.errors import ConfigError
from edge.contracts.ports import SinkIdentity
from edge.contracts.state import Will
from edge.contracts.topics import REQUEST, Topics
from edge.plugins import make_sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.contracts.ports import Link, Sink
    from edge.daemon.job import DaemonJob

CLOSE_TIMEOUT_S = 1.0
"""For all sinks together, to send the last `state` (``offline``) and to disconnect."""


def create_sinks(job: DaemonJob) -> list[Sink]:
    """Create one sink for each entry of the settings, with the MQTT last will that it may leave; none is open yet.

    Raises `ConfigError` if two sinks have the same name, and what a sink raises that cannot be as configured.
    """
    will = msgspec.json.encode(Will(device=job.device, run_id=job.run_id))
    identity = SinkIdentity(Topics(job.settings.site, job.device), job.run_id, will)
    sinks = [make_sink(one, identity) for one in job.settings.sinks]
    names = [sink.name for sink in sinks]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two sinks are {name}", hint="each receiver is configured once")
    return sinks


def open_sinks(sinks: Sequence[Sink], links: Sequence[Link], wake: Callable[[], None]) -> None:
    """Open all ``sinks``; ``links``, which are among them, subscribe to requests; all call ``wake`` on news.

    Raises `SinkError` if a sink cannot be opened.
    """
    for link in links:
        link.listen(REQUEST)
    for sink in sinks:
        sink.wake_on(wake)
        sink.open()


def close_sinks(sinks: Sequence[Sink]) -> None:
    """Close all ``sinks`` within `CLOSE_TIMEOUT_S`; each has at least 0.1 s, also when the others took all the time."""
    deadline = time.monotonic() + CLOSE_TIMEOUT_S
    for sink in sinks:
        sink.close(max(0.1, deadline - time.monotonic()))
