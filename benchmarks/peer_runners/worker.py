"""Worker process of a peer: ``python -m peer_runners.worker NAME --model F --pictures F.npz --threads N``.

With ``--broker URI`` where a peer publishes. Lines of JSON: first a greeting (``version``, ``threads``, ``says``: its
answers to the golden tensors) or ``cannot`` with one line why, then it does what lines on stdin ask for:
``{"do": "throughput", "seconds": 1}`` or ``{"do": "paced", "fps": 30, "seconds": 4}``, until stdin ends. What libraries
print goes to stderr.
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

from peer_runners.peer import CannotRunError, Peer, PeerSetup

if TYPE_CHECKING:
    from typing import TextIO

PEERS = {
    "bare": "litert:Bare",
    "tflite-runtime": "litert:TfliteRuntimePeer",
    "mediapipe": "mediapipe:MediaPipe",
    "openvino": "openvino:OpenVino",
    "onnx": "onnx:OnnxPeer",
    "in-process": "in_process:InProcess",
    "daemon": "daemon:Daemon",
    "frigate-style": "frigate_style:FrigateStyle",
}
"""By name: module of this package, and class."""
WARM_S = 0.15


def make(name: str, order: PeerSetup) -> Peer:
    """Make the peer of that name, its model loaded. Raises `CannotRunError`."""
    module, kind = PEERS[name].split(":")
    try:
        found = importlib.import_module(f"peer_runners.{module}")
    except ImportError as error:
        raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
    peer: Peer = getattr(found, kind)(order)
    return peer


def greeting(peer: Peer, golden: Any) -> dict[str, Any]:
    """First line of a worker: version, threads, answers to the golden tensors."""
    answers = [peer.golden_answer(picture) for picture in golden]
    return {"version": peer.version, "threads": peer.threads, "says": None if None in answers else answers}


def carry_out(peer: Peer, order: dict[str, Any]) -> dict[str, Any]:
    """Carry out what one line asks for, after a few frames that do not count: others had the caches meanwhile."""
    try:
        peer.throughput(WARM_S)
        if order["do"] == "throughput":
            frames, seconds = peer.throughput(order["seconds"])
            return {"frames": frames, "seconds": seconds}
        return {"ms": peer.paced(order["fps"], order["seconds"])}
    except Exception as error:  # the others go on, and this one is missing, with its reason
        return {"failed": f"{type(error).__name__}: {error}"}


def main() -> int:
    """Serve lines of JSON until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pictures", required=True, help="npz: pictures, golden, region")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--broker", default="")
    options = parser.parse_args()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def write_line(answer: dict[str, Any], to: TextIO = out) -> None:
        to.write(json.dumps(answer) + "\n")

    cv2.setNumThreads(options.threads)
    with np.load(options.pictures) as file:
        pictures, golden, region = file["pictures"], file["golden"], tuple(float(value) for value in file["region"])
    order = PeerSetup(options.model, options.threads, options.broker, pictures, region)
    try:
        peer = make(options.name, order)
    except CannotRunError as error:
        write_line({"cannot": str(error)})
        return 0
    try:
        peer.throughput(0.5)  # warm
        write_line(greeting(peer, golden))
        for line in sys.stdin:
            write_line(carry_out(peer, json.loads(line)))
    finally:
        peer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
