"""MQTT consumer of the soak test: counts messages, gaps and repeats without keeping the messages."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from brokers import Subscriber

from edge.fleet.ledger import Ledger


class SoakConsumer:
    """Consumer on the broker's side of the cuts: counts messages, gaps and repeats."""

    def __init__(self, port: int) -> None:
        self._subscriber = Subscriber(port)
        self._ledger = Ledger()
        self._since: dict[str, int] = {}
        self.kinds: Counter[str] = Counter()
        self.no_result: Counter[str] = Counter()
        self.no_result_s = 0.0
        self.health: list[dict[str, Any]] = []
        self._changes: dict[int, dict[str, Any]] = {}

    def take(self) -> None:
        """Read what came since the last time; nothing of it is kept but its sums."""
        heard = self._subscriber.heard
        count = len(heard)  # more may come while these are read
        batch = heard[:count]
        del heard[:count]
        for message in batch:
            self._ledger.feed(message.topic, message.body)
            kind = message.topic.split("/")[4]
            self.kinds[kind] += 1
            if kind == "health":
                self.health.append({k: message.json[k] for k in ("mono_ns", "frames", "dropped", "outbox_bytes")})
            elif kind == "coverage":
                said = message.json
                self._changes[said["seq"]] = {k: said[k] for k in ("since_mono_ns", "previous", "mono_ns")}

    def missing(self) -> int:
        """Number of messages that the daemon made and that never came."""
        holes = [hole for one in self._ledger.devices().values() for them in one.missing().values() for hole in them]
        return sum(last - first + 1 for first, last in holes)

    def duplicates(self) -> int:
        """Number of messages that came more than once, as those do whose acknowledgement was cut off."""
        return sum(one.duplicates for one in self._ledger.devices().values())

    def gaps(self) -> int:
        """Number of coverage intervals that do not begin where the one before ended."""
        found, since = 0, None
        for _, change in sorted(self._changes.items()):
            previous = change["previous"]
            if previous is not None:
                found += previous["from_mono_ns"] != since or previous["to_mono_ns"] != change["since_mono_ns"]
                if previous["status"] == "no_result":
                    self.no_result[str(previous["reason"])] += 1
                    self.no_result_s += (previous["to_mono_ns"] - previous["from_mono_ns"]) / 1e9
            elif since is not None:
                found += 1
            since = change["since_mono_ns"]
        return found

    def close(self) -> None:
        """Disconnect from the broker."""
        self._subscriber.close()
