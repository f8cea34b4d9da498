"""The names of topics: ``edge/v1/{site}/{device}/…``."""

from __future__ import annotations

from dataclasses import dataclass

STATE = "state"
HEALTH = "health"
REQUEST = "request"
RESPONSE = "response"


def findings(stream: str) -> str:
    """Of durable findings, below the device's prefix."""
    return f"findings/{stream}"


def coverage(stream: str) -> str:
    """Of durable coverage, below the device's prefix."""
    return f"coverage/{stream}"


def results(stream: str) -> str:
    """Of the latest results, below the device's prefix."""
    return f"results/{stream}"


@dataclass(frozen=True, slots=True)
class Topics:
    """Full topic names of one device."""

    site: str
    device: str
    root: str = "edge/v1"

    @property
    def prefix(self) -> str:
        """``edge/v1/{site}/{device}``, without a slash at the end."""
        return f"{self.root}/{self.site}/{self.device}"

    def full(self, suffix: str) -> str:
        """The topic that ``suffix`` (``state``, ``findings/cart-1``) stands for."""
        return f"{self.prefix}/{suffix}"

    @property
    def client_id(self) -> str:
        """MQTT client identifier: one session a device, so that a cloned device is noticed."""
        return f"{self.site}/{self.device}"
