"""Fetches the retained ``state`` of every device, and tells whether all have arrived.

A broker queues only so much for a subscriber (mosquitto: 1,000 messages at QoS 1, and at QoS 0 too when the subscriber
is slow) and drops the rest without a word. So all states are asked for at once, and then, site by site, again in
portions that no queue is too short for; only if both agree is the list certain. A device that is heard though its
state did not come is asked for by its own topic.

The states that come later are wanted in order with the findings, at QoS 1; the retained ones come at QoS 0, because
brokers drop more of those at QoS 1.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.contracts import topics
from edge.contracts.errors import SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from edge.fleet.consumer_connection import ConsumerConnection
    from edge.fleet.fleet_overview import DeviceKey, FleetOverview

ATTEMPTS = 4
"""Comparisons of the whole with its portions, until both agree."""
QUIET_S = 0.2
"""So long after the broker's answer without another state, and all are here: some brokers answer first."""
ANSWER_S = 3.0
"""So long without an answer or a state, and the answer was dropped: the question is asked again."""
BRIDGE_NOTES = "+/bridge"
"""Last levels of the topics on which bridges tell whether they are connected."""
PORTION = 300
"""Devices whose states are asked for at once: fewer than any broker queues."""
LARGE = 900
"""As many states at once as a broker may have cut: two answers of this size must agree with each other, too."""
UNHEARD_S = 2.0
"""So long a device may be known without its state: a ``health`` can overtake it."""
REPEAT_S, LONGEST_REPEAT_S = 60.0, 3600.0
"""Between two fetches after which the list is still uncertain; doubled each time."""


class StateFetch:
    """Fetch of all retained states on one connection, a step at a time; begins anew with each new connection."""

    def __init__(
        self,
        connection: ConsumerConnection,
        overview: FleetOverview,
        root: str,
        other_topics: Sequence[str],
        before_others: Callable[[], None] | None = None,
    ) -> None:
        """``connection`` is subscribed to `all_states` at QoS 0. ``other_topics``: subscribed to once states are here.

        ``before_others`` subscribes to what the states name: the broker carries out one subscription after the other.
        ``overview`` is fed by the caller with all that `receive` returns.
        """
        self._connection, self._overview, self._root = connection, overview, root
        self._other_topics = list(other_topics)
        self._before_others = before_others
        self._session = 0
        self._dropped = 0
        self._collected: dict[str, set[str]] = {}
        """Site -> devices whose retained states came since the last question."""
        self._last_at = 0.0
        self._cut = False
        """Whether an answer of the broker to the last questions got lost."""
        self._asked: set[DeviceKey] = set()
        self._repeat_at, self._repeat_s = 0.0, REPEAT_S
        self._steps: Iterator[None] = iter(())
        self.others_subscribed = False
        """Whether the other topics are subscribed to."""
        self.certain = False
        """Whether all states that the broker has are here, as far as can be told."""
        self.settled = False
        """Whether there is nothing more to be done for now."""

    def note(self, site: str, device: str) -> None:
        """Note that the retained state of a device arrived."""
        self._collected.setdefault(site, set()).add(device)
        self._last_at = time.monotonic()

    def step(self) -> None:
        """Go on as far as possible without waiting. Raises `SinkError` if the broker refuses a subscription."""
        if self._connection.session != self._session:
            self._session = self._connection.session
            self._asked.clear()
            self._steps = self._run()
        if self._connection.dropped != self._dropped:  # a state may be among them
            self._dropped, self._repeat_at, self.certain, self.settled = self._connection.dropped, 0.0, False, False
        next(self._steps, None)

    def _run(self) -> Iterator[None]:
        """Everything that is done on one connection."""
        self.settled = self.certain = self.others_subscribed = self._cut = False
        yield from self._wait([])  # for the subscription that the connection begins with
        yield from self._fetch(first=True)
        while True:
            missing = [key for key in self._overview.without_state(UNHEARD_S) if key not in self._asked]
            if missing:
                self.settled = False
                yield from self._ask_for(missing[:PORTION])
            elif not self.certain and time.monotonic() >= self._repeat_at:
                self.settled = False
                self._collected, self._cut = {}, False
                yield from self._wait([all_states(self._root)])
                yield from self._fetch(first=False)
            else:
                self.settled = True
                yield

    def _fetch(self, first: bool) -> Iterator[None]:
        """Compare all states with those of each site, until both agree. What came of all is in ``_collected``."""
        before: dict[str, set[str]] | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self._collected, self._cut = {}, False
                yield from self._wait([all_states(self._root)])
            whole, whole_cut = self._collected, self._cut
            # From here on states come in order with the findings. The broker sends all it has once more, and perhaps
            # drops some of it; other messages would be dropped with it, so they are subscribed to after that.
            yield from self._wait([all_states(self._root)], qos=1)
            if first:
                yield from self._subscribe_others()
                first = False
            large = sum(map(len, whole.values())) >= LARGE
            by_site: dict[str, set[str]] = {}
            self._cut = False
            for sites in self._portions(whole):
                self._collected = {}
                filters = [f"{self._root}/{site}/+/{topics.STATE}" for site in sites]
                yield from self._wait(filters)
                self._connection.unsubscribe(filters)
                by_site.update(self._collected)
            self._collected = {}
            listed = {(site, device) for site, devices in whole.items() for device in devices}
            agree = not (whole_cut or self._cut) and whole == by_site and self._overview.with_state() <= listed
            if agree and (not large or whole == before):
                self.certain = True
                return
            before = whole
        self._repeat_at = time.monotonic() + self._repeat_s
        self._repeat_s = min(2 * self._repeat_s, LONGEST_REPEAT_S)

    def _portions(self, whole: dict[str, set[str]]) -> list[list[str]]:
        """All known sites, in groups of at most `PORTION` devices each where a site itself is not larger."""
        sizes = {site: len(devices) for site, devices in whole.items()}
        for site, _ in self._overview.ledger.devices():
            sizes.setdefault(site, 1)
        groups: list[list[str]] = []
        size = PORTION
        for site in sorted(sizes):
            if size + sizes[site] > PORTION or len(groups[-1]) >= 50:
                groups.append([])
                size = 0
            groups[-1].append(site)
            size += sizes[site]
        return groups

    def _ask_for(self, keys: Sequence[DeviceKey]) -> Iterator[None]:
        """Ask for the states of single devices; if one comes, the fetch of all has missed it."""
        self._collected = {}
        filters = [f"{self._root}/{site}/{device}/{topics.STATE}" for site, device in keys]
        yield from self._wait(filters)
        self._connection.unsubscribe(filters)
        self._asked.update(keys)
        if self._collected:
            self.certain = False

    def _subscribe_others(self) -> Iterator[None]:
        if self._before_others is not None:
            self._before_others()
        granted = yield from self._subscribe(self._other_topics)
        if not granted:
            raise SinkError(
                f"{self._connection.name} refuses: subscription not allowed", hint="check the broker's access list"
            )
        self.others_subscribed = True

    def _subscribe(self, filters: Sequence[str]) -> Generator[None, None, bool]:
        """Subscribe to ``filters`` until the broker answers; whether it grants them."""
        while True:
            number = self._connection.subscribe(filters, 1)
            asked_at = time.monotonic()
            while (granted := self._connection.granted(number)) is None:
                if time.monotonic() - max(asked_at, self._last_at) > ANSWER_S:
                    break
                yield
            if granted is not None:
                return granted
            self._cut = True  # mosquitto drops its answers, too, when its queue for us is full

    def _wait(self, filters: Sequence[str], qos: int = 0) -> Iterator[None]:
        """Subscribe to ``filters``, and wait until the states that are retained there have come."""
        if filters:
            self._connection.subscribe(filters, qos)
        # The answer to a second subscription comes behind what the first one gave.
        yield from self._subscribe([f"{self._root}/{BRIDGE_NOTES}"])
        self._last_at = max(self._last_at, time.monotonic())
        while time.monotonic() - self._last_at < QUIET_S:
            yield


def all_states(root: str) -> str:
    """Topic filter of the states of all devices."""
    return f"{root}/+/+/{topics.STATE}"
