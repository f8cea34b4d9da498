"""AsyncAPI 3.0 document of the MQTT contract: channels, operations, messages."""

from __future__ import annotations

from typing import Any

import msgspec

from edge.config.field_docs import without_markup
from edge.contracts import topics
from edge.contracts.names import NAME_PATTERN
from edge.schema import examples

CONTRACT_VERSION = "1.0.0"
BINDING = "0.2.0"
"""Of AsyncAPI's MQTT bindings."""

EXAMPLES: dict[str, msgspec.Struct] = {
    "state": examples.state(),
    "will": examples.will(),
    "health": examples.health(),
    "finding": examples.finding(),
    "labels": examples.labels(),
    "feedback": examples.feedback(),
    "coverage": examples.coverage(),
    "result": examples.result(),
    "request": examples.request(),
    "response": examples.response(),
}
"""Every message, by its name in the document."""

CHANNELS: dict[str, tuple[str, list[str], str]] = {
    "state": (
        topics.STATE,
        ["state", "will"],
        "Who the device is and how it is. The last message stays on the broker.",
    ),
    "health": (topics.HEALTH, ["health"], "Flat numbers, every few seconds."),
    "findings": (topics.findings("{stream}"), ["finding"], "Lesions: seen first, changed, gone. None is lost."),
    "labels": (
        topics.labels("{stream}"),
        ["labels"],
        "Labels of a classifier, areas of a segmentation: new, changed, gone. None is lost. A lesion model sends none.",
    ),
    "feedback": (
        topics.feedback("{stream}"),
        ["feedback"],
        "A person at the device agrees or disagrees with what was found. None is lost.",
    ),
    "coverage": (topics.coverage("{stream}"), ["coverage"], "Which result state held when. None is lost."),
    "results": (topics.results("{stream}"), ["result"], "The latest result, for screens. Rate-limited."),
    "request": (
        "request/{command}",
        ["request"],
        "Asking a device something. It answers if its state has the capability `requests`.",
    ),
    "response": ("response/{command}", ["response"], "Its answer."),
}
"""Topic below the device's prefix, messages and summary of every channel."""

QUALITY: dict[str, tuple[int, bool]] = {
    "state": (1, True),
    "health": (0, False),
    "findings": (1, False),
    "labels": (1, False),
    "feedback": (1, False),
    "coverage": (1, False),
    "results": (0, False),
    "request": (1, False),
}
"""MQTT quality of service, and whether the broker retains the message."""

PARAMETERS: dict[str, dict[str, Any]] = {
    "site": {"description": f"Where the device stands; {NAME_PATTERN}", "examples": [examples.TOPICS.site]},
    "device": {"description": f"The device's name; {NAME_PATTERN}", "examples": [examples.TOPICS.device]},
    "stream": {"description": f"One stream of frames; {NAME_PATTERN}", "examples": [examples.STREAM]},
    "command": {"description": "What is asked for. May hold slashes.", "examples": ["ping"]},
}


def document(schemas: dict[str, Any]) -> dict[str, Any]:
    """AsyncAPI document as a whole. ``schemas``: JSON Schemas (2020-12) of all payloads by class name."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "sonoedge",
            "version": CONTRACT_VERSION,
            "description": (
                "What an edge device for ultrasound publishes. Research use only, not a medical device. "
                "Receivers ignore fields that they do not know. "
                "A durable message is told from its repeats by (device, epoch, seq), whatever its schema; never order "
                "by time. More kinds of them may come, on topics that a state names in `durable_topics`. "
                "The first part of every topic, edge/v1, can be configured."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": {name: _channel(name) for name in CHANNELS},
        "operations": {_operation_name(name): _operation(name) for name in QUALITY},
        "components": {
            "schemas": to_draft_07(schemas),
            "messages": {name: _message(name, example) for name, example in EXAMPLES.items()},
            "parameters": PARAMETERS,
        },
    }


def to_draft_07(schema: Any) -> Any:
    """Convert a JSON Schema 2020-12 to draft 07, of which AsyncAPI 3.0's own dialect is a superset.

    Tuples and references look different there.
    """
    if isinstance(schema, list):
        return [to_draft_07(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: to_draft_07(value) for key, value in schema.items()}
    if "prefixItems" in changed:
        changed["additionalItems"] = changed.pop("items")
        changed["items"] = changed.pop("prefixItems")
    if isinstance(changed.get("$ref"), str) and len(changed) > 1:  # draft 07 ignores what stands beside a $ref
        changed = {"allOf": [{"$ref": changed.pop("$ref")}], **changed}
    return changed


def _server() -> dict[str, Any]:
    will = EXAMPLES["will"]
    return {
        "host": "{broker}",
        "protocol": "mqtt",
        "protocolVersion": "5",
        "description": "Any MQTT 5 or 3.1.1 broker.",
        "variables": {"broker": {"description": "Host and port.", "default": "localhost:1883"}},
        "bindings": {
            "mqtt": {
                "clientId": examples.TOPICS.client_id,
                "lastWill": {
                    "topic": examples.TOPICS.full(topics.STATE),
                    "qos": 1,
                    "retain": True,
                    "message": msgspec.json.encode(will).decode(),
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _channel(name: str) -> dict[str, Any]:
    suffix, messages, summary = CHANNELS[name]
    address = topics.Topics(site="{site}", device="{device}").full(suffix)
    return {
        "address": address,
        "summary": summary,
        "servers": [{"$ref": "#/servers/broker"}],
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in messages},
        "parameters": {
            parameter: {"$ref": f"#/components/parameters/{parameter}"}
            for parameter in PARAMETERS
            if f"{{{parameter}}}" in address
        },
    }


def _operation_name(channel: str) -> str:
    return ("receive" if channel == "request" else "send") + channel.capitalize()


def _operation(channel: str) -> dict[str, Any]:
    """Seen from the device: what it publishes it sends."""
    qos, retain = QUALITY[channel]
    operation: dict[str, Any] = {
        "action": "receive" if channel == "request" else "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": CHANNELS[channel][2],
        "messages": _references(channel),
        "bindings": {"mqtt": {"qos": qos, "retain": retain, "bindingVersion": BINDING}},
    }
    if channel == "request":
        operation["reply"] = {"channel": {"$ref": "#/channels/response"}, "messages": _references("response")}
    return operation


def _references(channel: str) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{channel}/messages/{message}"} for message in CHANNELS[channel][1]]


def _message(name: str, example: msgspec.Struct) -> dict[str, Any]:
    return {
        "name": name,
        "title": type(example).__name__,
        "summary": without_markup((type(example).__doc__ or "").split("\n")[0]),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{type(example).__name__}"},
        "examples": [{"name": name, "payload": msgspec.to_builtins(example)}],
    }
