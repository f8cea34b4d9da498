"""Checks of the configured brokers and other receivers: connect, one message, its acknowledgement, disconnect."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge.config.load import default_device_name
from edge.config.uri import parse_uri
from edge.contracts.errors import EdgeError, SinkError
from edge.contracts.topics import Topics
from edge.device.storage import nearest_existing_folder
from edge.doctor.check import absent, ok, warning, wrong, wrong_from_error
from edge.plugins import require
from edge.sinks.mqtt.check import check_broker
from edge.sinks.mqtt.inflight import QueuedMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.settings import Settings, SinkSettings
    from edge.doctor.check import Check

GROUP = "receivers"
SUFFIX = "check"
"""Topic of the test message, below the device's own; no consumer of findings listens to it."""


def check_sinks(settings: Settings) -> Iterator[Check]:
    """Check each sink of the settings."""
    if not settings.sinks:
        yield absent(GROUP, "receivers", "none configured: findings would be kept, and go nowhere", "see --config")
    for sink in settings.sinks:
        name = parse_uri(sink.uri).redacted()
        try:
            scheme = parse_uri(sink.uri).scheme
            require("sinks", scheme)
            if scheme in ("mqtt", "mqtts"):
                yield _check_broker(name, sink, settings)
            elif scheme == "jsonl":
                yield _check_file(name, Path(parse_uri(sink.uri).file))
            else:
                yield ok(GROUP, name, "installed")
        except EdgeError as error:
            yield wrong_from_error(GROUP, name, error)


def _check_broker(name: str, sink: SinkSettings, settings: Settings) -> Check:
    topics = Topics(settings.site, settings.device or default_device_name(), sink.root)
    body = msgspec.json.encode({"schema": "check/1", "device": topics.device, "from": "edge-cli doctor"})
    version = check_broker(sink, publish=QueuedMessage(topics.full(SUFFIX), body, qos=1, retain=False))
    how = "over TLS" if parse_uri(sink.uri).scheme == "mqtts" else "not encrypted"
    text = f"connects ({how}, MQTT {version}) and acknowledges {topics.full(SUFFIX)}"
    if version == "3.1.1":
        return warning(
            GROUP,
            name,
            f"{text}; in this version it cannot say when it drops a topic",
            "a broker that speaks MQTT 5 says what it refuses",
        )
    return ok(GROUP, name, text)


def _check_file(name: str, path: Path) -> Check:
    target = path if path.exists() else nearest_existing_folder(path.parent)
    if path.is_dir() or not os.access(target, os.W_OK) or (target != path and target != path.parent.absolute()):
        return wrong(GROUP, name, f"{path} cannot be written", "name a file in a folder of ours", SinkError.exit_code)
    return ok(GROUP, name, f"{path} can be written")
