"""MQTT topic names of a device: ``edge/v1/{site}/{device}/…``."""

from __future__ import annotations

import re
from dataclasses import dataclass

STATE = "state"
HEALTH = "health"
REQUEST = "request"
RESPONSE = "response"
FINDINGS = "findings"
LABELS = "labels"
COVERAGE = "coverage"
FEEDBACK = "feedback"
RESULTS = "results"
DURABLE_TOPICS = (FINDINGS, COVERAGE)
"""First levels of the topics of durable messages, where ``state`` names none; of these the second is the stream."""
ALL_DURABLE_TOPICS = (FINDINGS, COVERAGE, LABELS)
"""Those of a device whose model is no lesion model. Findings of an earlier model may stand in the same outbox. Where
people at the device can say whether they agree, or once could, `FEEDBACK` comes last."""
DURABLE_TOPICS_LIMIT = 16
"""Most of them that a device may name."""
NEVER_DURABLE = frozenset({STATE, HEALTH, REQUEST, RESPONSE, RESULTS})
"""First levels of topics that have another meaning."""


DURABLE_TOPIC = re.compile(r"[a-z0-9-]{1,32}")
"""What a first level looks like that may be named."""


def is_durable(level: str) -> bool:
    """Whether ``level`` may be the first level of topics of durable messages."""
    return level not in NEVER_DURABLE and DURABLE_TOPIC.fullmatch(level) is not None


def findings(stream: str) -> str:
    """Topic of a stream's durable findings, below the device's prefix."""
    return f"{FINDINGS}/{stream}"


def labels(stream: str) -> str:
    """Topic of a stream's durable labels, below the device's prefix."""
    return f"{LABELS}/{stream}"


def feedback(stream: str) -> str:
    """Topic of what people said of a stream's findings, below the device's prefix."""
    return f"{FEEDBACK}/{stream}"


def coverage(stream: str) -> str:
    """Topic of a stream's durable coverage, below the device's prefix."""
    return f"{COVERAGE}/{stream}"


def results(stream: str) -> str:
    """Topic of a stream's latest results, below the device's prefix."""
    return f"{RESULTS}/{stream}"


@dataclass(frozen=True, slots=True)
class Topics:
    """Full MQTT topic names of one device."""

    site: str
    device: str
    root: str = "edge/v1"

    @property
    def prefix(self) -> str:
        """Common beginning of all topics: ``edge/v1/{site}/{device}``, without a slash at the end."""
        return f"{self.root}/{self.site}/{self.device}"

    def full(self, suffix: str) -> str:
        """Full topic of ``suffix`` (``state``, ``findings/cart-1``)."""
        return f"{self.prefix}/{suffix}"

    @property
    def client_id(self) -> str:
        """MQTT client identifier, one session a device, so that a cloned device is noticed."""
        return f"{self.site}/{self.device}"
