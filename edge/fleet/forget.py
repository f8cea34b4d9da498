"""Forgets devices: finds what a broker retains of them, and deletes it."""

from __future__ import annotations

import fnmatch
import time
from typing import TYPE_CHECKING, NamedTuple

from edge.contracts.errors import SinkError, UsageError
from edge.contracts.names import is_name
from edge.fleet.fleet_overview import BRIDGE
from edge.fleet.fleet_watch import FleetWatch
from edge.fleet.ledger import NO_DEVICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config.settings import SinkSettings
    from edge.fleet.fleet_overview import DeviceKey

ANSWER_S = 30.0
"""So long the broker may take to tell what it retains, and to take what is deleted."""
QUIET_S = 0.2
PORTION = 50
"""Devices that are looked at together."""


class RetainedDevice(NamedTuple):
    """What a broker retains of one device."""

    site: str
    device: str
    """`BRIDGE` stands for the note of the site's bridge."""
    said: str
    """State that it told last."""
    topics: list[str]


class DeviceForgetter:
    """Finds and deletes the retained messages of devices, on one connection to a broker."""

    def __init__(self, settings: SinkSettings, root: str = "edge/v1") -> None:
        """Raises `SinkError` if the broker does not accept us."""
        self._watch = FleetWatch(settings, root)
        self._root = root

    def find(self, pattern: str) -> list[RetainedDevice]:
        """What is retained of the devices that match ``pattern``: ``SITE/DEVICE``, or ``DEVICE`` of any site.

        ``*`` and ``?`` are wildcards. Raises `UsageError` for another pattern, `SinkError` if the broker does not tell.
        """
        site_pattern, device_pattern = _split(pattern)
        if not self._watch.receive_until(lambda: self._watch.states.settled, ANSWER_S):
            raise SinkError("the broker does not tell what it retains", hint="may this account subscribe there?")
        overview = self._watch.overview
        known = overview.ledger.devices().keys() | overview.ledger.rejected().keys()
        known |= {(site, BRIDGE) for site in overview.bridges()} | {(site_pattern, device_pattern)}
        matching = sorted(
            (site, device)
            for site, device in known - {NO_DEVICE}
            if fnmatch.fnmatchcase(site, site_pattern) and fnmatch.fnmatchcase(device, device_pattern)
            if is_name(site) and is_name(device)
        )
        retained = self._retained(matching)
        said = {(row.site, row.device): row.said for row in overview.rows()}
        return [
            RetainedDevice(*key, said.get(key, "unknown"), topics) for key in matching if (topics := retained.get(key))
        ]

    @property
    def all_listed(self) -> bool:
        """Whether all devices that the broker knows of were looked at, as far as can be told."""
        return self._watch.all_listed

    def delete(self, devices: Sequence[RetainedDevice]) -> None:
        """Delete what is retained of ``devices``; raises `SinkError` if some of it stays."""
        connection = self._watch.connection
        for one in devices:
            for topic in one.topics:
                connection.publish(topic, b"", retain=True)
        if not connection.drain(ANSWER_S):
            raise SinkError(f"{connection.name} did not take all of it", hint="try again")
        left = self._retained([(one.site, one.device) for one in devices])
        if left:
            first = "/".join(next(iter(left)))
            raise SinkError(
                f"of {len(left)} devices something is still retained ({first}, …)",
                hint="does the access list let this account write there? A device that runs tells its state again.",
            )

    def close(self) -> None:
        """Disconnect from the broker."""
        self._watch.close()

    def _retained(self, keys: Sequence[DeviceKey]) -> dict[DeviceKey, list[str]]:
        """Topics with a retained message below those of each device."""
        found: dict[DeviceKey, list[str]] = {}
        for start in range(0, len(keys), PORTION):
            filters = [f"{self._root}/{site}/{device}/#" for site, device in keys[start : start + PORTION]]
            for topic in self._topics(filters):
                site, device, _ = self._watch.overview.ledger.split_topic(topic)
                found.setdefault((site, device), []).append(topic)
        return found

    def _topics(self, filters: list[str]) -> list[str]:
        connection = self._watch.connection
        connection.subscribe(filters, 0)
        number = connection.subscribe([f"{self._root}/+/{BRIDGE}"], 1)  # is answered behind the messages of the first
        topics: set[str] = set()
        until, granted = time.monotonic() + ANSWER_S, None
        while granted is None or time.monotonic() < until:
            wanted = [each for each in connection.receive(0.05) if each.retained and each.body]
            topics.update(
                each.topic for each in wanted if f"{'/'.join(each.topic.split('/')[: self._levels])}/#" in filters
            )
            if granted is None:
                granted = connection.granted(number)
                if granted is None and time.monotonic() > until:
                    raise SinkError(f"{connection.name} does not answer", hint="try again")
                until = until if granted is None else time.monotonic() + QUIET_S
            elif wanted:
                until = time.monotonic() + QUIET_S
        connection.unsubscribe(filters)
        return sorted(topics)

    @property
    def _levels(self) -> int:
        return self._root.count("/") + 3


def _split(pattern: str) -> tuple[str, str]:
    """(site, device) of a pattern; raises `UsageError`."""
    site, slash, device = pattern.rpartition("/")
    site = site if slash else "*"
    if not site or not device or "/" in site:
        raise UsageError(f"{pattern!r} is no pattern of devices", hint="SITE/DEVICE, for example 'clinic-a/cart-*'")
    return site, device
