"""A rival's process: ``python -m rivals.worker NAME --model F --pictures F.npz --threads N [--broker URI]``.

Lines of JSON: it says hello (``version``, ``threads``, ``says``: its answers to the golden tensors) or ``cannot`` with
one line why, then does what it is told on stdin: ``{"do": "throughput", "seconds": 1}`` or
``{"do": "paced", "fps": 30, "seconds": 4}``, until stdin ends. What libraries print goes to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from rivals.peer import CannotRunError, Order, Peer

if TYPE_CHECKING:
    from typing import TextIO

RIVALS = {
    "bare": "litert:Bare",
    "tflite-runtime": "litert:TfliteRuntime",
    "mediapipe": "mediapipe:MediaPipe",
    "openvino": "openvino:OpenVino",
    "onnx": "onnx:OnnxRuntime",
    "in-process": "in_process:InProcess",
    "daemon": "daemon:Daemon",
    "frigate-style": "frigate_style:FrigateStyle",
}
"""By name: module of this package, and class."""
WARM_S = 0.15


def make(name: str, order: Order) -> Peer:
    """The rival, its model loaded. Raises `CannotRunError`."""
    module, kind = RIVALS[name].split(":")
    try:
        found = importlib.import_module(f"rivals.{module}")
    except ImportError as error:
        raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
    peer: Peer = getattr(found, kind)(order)
    return peer


def hello(peer: Peer, golden: Any) -> dict[str, Any]:
    """What it says of itself."""
    said = [peer.says(picture) for picture in golden]
    return {"version": peer.version, "threads": peer.threads, "says": None if None in said else said}


def obey(peer: Peer, order: dict[str, Any]) -> dict[str, Any]:
    """Do what one line says, after a few frames that do not count: others had the caches meanwhile."""
    try:
        peer.throughput(WARM_S)
        if order["do"] == "throughput":
            frames, seconds = peer.throughput(order["seconds"])
            return {"frames": frames, "seconds": seconds}
        return {"ms": peer.paced(order["fps"], order["seconds"])}
    except Exception as error:  # the others go on, and this one is missing, with its reason
        return {"failed": f"{type(error).__name__}: {error}"}


def main() -> int:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=RIVALS)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pictures", required=True, help="npz: pictures, golden, region")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--broker", default="")
    options = parser.parse_args()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(answer: dict[str, Any], to: TextIO = out) -> None:
        to.write(json.dumps(answer) + "\n")

    cv2.setNumThreads(options.threads)
    with np.load(options.pictures) as file:
        pictures, golden, region = file["pictures"], file["golden"], tuple(float(value) for value in file["region"])
    order = Order(options.model, options.threads, options.broker, pictures, region)
    try:
        peer = make(options.name, order)
    except CannotRunError as error:
        say({"cannot": str(error)})
        return 0
    try:
        peer.throughput(0.5)  # warm
        say(hello(peer, golden))
        for line in sys.stdin:
            say(obey(peer, json.loads(line)))
    finally:
        peer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
