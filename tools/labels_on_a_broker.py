"""Demo of labels and areas on a device: runs broker and daemon on pictures, and prints what a subscriber gets.

``python -m tools.labels_on_a_broker PICTURES --model MODEL.tflite``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.broker.embedded_broker import start_broker
from edge.cli.errors import report
from edge.contracts.errors import DeviceError

SHOWN = 3
"""Scores of a message that are printed."""
CONNECT_S = 10.0


class LabelPrinter:
    """MQTT subscriber that prints each message on ``labels/{stream}``, and knows when the device is off."""

    def __init__(self, port: int) -> None:
        self.heard, self.offline, ready = 0, threading.Event(), threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe("edge/v1/#", qos=1)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = lambda _client, _data, packet: self._take(packet)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        if not ready.wait(CONNECT_S):
            raise DeviceError("the demo's own broker takes no subscription", hint="try again, or install mosquitto")

    def _take(self, packet: mqtt.MQTTMessage) -> None:
        body = json.loads(packet.payload)
        if packet.topic.endswith("/state") and body["status"] == "offline":
            self.offline.set()
        if "/labels/" not in packet.topic:
            return
        self.heard += 1
        scores = "  ".join(f"{each['name']} {each['score']:.2f}" for each in body["labels"][:SHOWN])
        area = f"  {body['area']['share']:.1%} of the picture" if "area" in body else ""
        said = f"{body['lifecycle']:7} {body['label']:16} of {len(body['labels'])} scores: {scores}{area}"
        print(f"{packet.topic:38} {said}")


def main() -> int:
    """Run the demo; the exit code: 0 if labels came."""
    parser = argparse.ArgumentParser(prog="python -m tools.labels_on_a_broker")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    given = parser.parse_args()
    with start_broker() as broker, tempfile.TemporaryDirectory() as state:
        printer = LabelPrinter(broker.port)
        command = [
            sys.executable,
            "-m",
            "edge.cli.main",
            "run",
            "--source",
            f"images://{given.pictures.resolve()}",
        ]
        command += ["--sink", broker.uri, "--model", str(given.model), "--allow-no-gate"]
        done = subprocess.run([*command, "--device", "demo", "--state-dir", state], check=False)
        printer.offline.wait(CONNECT_S)
        printer.client.loop_stop()
    print(f"{printer.heard} messages about labels came over MQTT")
    return done.returncode if printer.heard else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:
        sys.exit(report(error))
