"""Benchmark of sonoedge beside its peers: one run, the same frames, the same ``.tflite``, one thread each.

    make peers                                     # sets up the environments, runs all of it, writes docs/peers.*
    python benchmarks/peers.py --quick             # a minute, with what is at hand
    python benchmarks/peers.py --rounds 7 --json docs/peers.json

Every peer does the same for each frame: a 640x480 RGB phantom picture, brought to the model's size by its own means, to
its result; only *bare* is given finished tensors, and is the limit. Each lives in a process of its own, with the
environment that it wants, and is warm. Rounds are interleaved and every other one runs backwards; a ratio is taken
within its round, and the median over rounds stands with its bootstrap interval (see `intervals.py`).

    two-cores     one thread, everything on two cores: what the runtime leaves is there for the other stages; also at 30
                  frames/s, for latency: from when a frame was due to its result, ours also to the broker's PUBACK
    one-core      one thread, everything on one core
    two-threads   two threads, two cores

Wants psutil (extra ``dev``) and a broker: mosquitto, else the one of the extra ``demo``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from peer_runners.peer import CannotRunError
from peer_runners.worker import PEERS
from peer_runners.worker_process import PeerWorker
from peers_report import console
from result_file import describe_machine, write_section

from edge import __version__
from edge.broker.embedded_broker import start_broker
from edge.contracts.errors import EdgeError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.models.bundle import Bundle

ROOT = Path(__file__).parents[1]
VENVS = {"mediapipe": "mediapipe", "openvino": "peers", "onnx": "peers", "tflite-runtime": "tflite-runtime"}
"""Peers that want an environment of their own, and its name: ``.venv-NAME``."""
PICTURES = 30
SAME_STEPS = 24
"""Of 256: whose first output is further than this from a golden one computes something else."""
BARE = "bare"


@dataclass(frozen=True)
class Mode:
    """Conditions of a comparison: cores, threads, and whether frames also come at a rate."""

    name: str
    cores: int
    threads: int
    paced: bool = False


MODES = [Mode("two-cores", 2, 1, paced=True), Mode("one-core", 1, 1), Mode("two-threads", 2, 2)]


@dataclass
class Measured:
    """Measurements of one peer in one mode."""

    version: str
    threads: int | None
    steps_off: float | None
    """Largest difference of its first output to the golden one, in steps of 1/256; None: it checks that itself."""
    frames_per_s: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    """Kept busy, at full speed, by all its processes."""
    ms: dict[str, list[list[float]]] = field(default_factory=dict)
    """``result`` and ``ack`` -> rounds -> frames, milliseconds at the pace."""


def write_inputs(folder: Path, bundle: Bundle) -> Path:
    """Write the inputs of all workers into an npz file, and return its path.

    ``pictures`` (N, 480, 640, 3) uint8 RGB, ``golden`` (n, h, w, 3) uint8, ``region``: the place of the scan.
    """
    scene = PhantomScene(PhantomSpec(seed=1, lesions=1))
    pictures = np.stack([cv2.cvtColor(scene.pixels(i), cv2.COLOR_GRAY2RGB) for i in range(PICTURES)])
    region = np.array([*scene.region.box, scene.region.mm_x, scene.region.mm_y], float)
    golden = bundle.golden.tensors
    if golden.shape[-1] == 1:
        golden = np.repeat(golden, 3, axis=-1)
    path = folder / "inputs.npz"
    np.savez(path, pictures=pictures, golden=golden, region=region)
    return path


def steps_off(bundle: Bundle, answers: list[float] | None) -> float | None:
    """Largest difference of a peer's answers to the golden ones, in steps of 1/256; see `Measured`.

    Raises `CannotRunError` if it is too much for this model.
    """
    if answers is None:
        return None
    wanted = bundle.golden.outputs["malignancy"].reshape(len(answers), -1)[:, -1].astype(float)
    worst = float(np.abs(np.asarray(answers) * 256 - wanted).max())
    if worst > SAME_STEPS:
        raise CannotRunError(f"its answers to the golden tensors are {worst:.0f} of 256 steps off: not the same model")
    return round(worst, 1)


@contextlib.contextmanager
def confined(cores: int) -> Iterator[None]:
    """Confine this process, and what it starts, to so many cores. Raises SystemExit if there are not so many."""
    before = os.sched_getaffinity(0)
    if len(before) < cores:
        raise SystemExit(f"error: {cores} cores are wanted, {len(before)} are to be had\nhint: --modes one-core")
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class PeerBenchmark:
    """Benchmark of all peers in one mode: their workers, and what was measured of them."""

    def __init__(self, mode: Mode, options: argparse.Namespace, folder: Path, bundle: Bundle) -> None:
        self.mode, self._options = mode, options
        self.measured: dict[str, Measured] = {}
        self.missing: dict[str, str] = {}
        self._workers: dict[str, PeerWorker] = {}
        self._end = contextlib.ExitStack()
        self.broker = ""
        uri = ""
        try:
            broker = self._end.enter_context(start_broker())
            self.broker, uri = broker.name, broker.uri
        except EdgeError as error:
            print(f"the path to the broker is not measured: {error.message} ({error.hint})", flush=True)
        inputs = write_inputs(folder, bundle)
        for name in options.only:
            model = options.onnx if name == "onnx" else bundle.path
            arguments = ["--model", str(model), "--pictures", str(inputs), "--threads", str(mode.threads)]
            try:
                worker = PeerWorker(name, options.python[name], [*arguments, "--broker", uri], folder)
                self._end.callback(worker.close)
                off = steps_off(bundle, worker.greeting["says"])
            except CannotRunError as error:
                self.leave_out(name, error)
                continue
            self._workers[name] = worker
            self.measured[name] = Measured(worker.greeting["version"], worker.greeting["threads"], off)

    def leave_out(self, name: str, why: CannotRunError) -> None:
        """Leave this peer out and print the reason: half of its rounds prove nothing."""
        print(f"{self.mode.name}: without {name}: {why}", flush=True)
        self.missing[name] = str(why)
        self.measured.pop(name, None)
        self._workers.pop(name, None)

    def run_round(self, number: int) -> None:
        """Run all peers once at full speed, then once at the pace."""
        for name in self._order(number):
            with self._leaving_out(name):
                answer = self._workers[name].request({"do": "throughput", "seconds": self._options.seconds})
                self.measured[name].frames_per_s.append(round(answer["frames"] / answer["seconds"], 3))
                self.measured[name].cores.append(round(answer["cores"], 3))
        if not self.mode.paced:
            return
        for name in self._order(number):
            if np.median(self.measured[name].frames_per_s) < self._options.fps:
                continue  # it would fall behind for ever
            with self._leaving_out(name):
                pace = {"do": "paced", "fps": self._options.fps, "seconds": self._options.paced_seconds}
                for point, taken in self._workers[name].request(pace)["ms"].items():
                    self.measured[name].ms.setdefault(point, []).append([round(one, 3) for one in taken])

    def close(self) -> None:
        """End all workers and the broker."""
        self._end.close()

    def _order(self, number: int) -> list[str]:
        names = list(self._workers)
        return names if number % 2 == 0 else names[::-1]  # nobody always runs after the same other

    @contextlib.contextmanager
    def _leaving_out(self, name: str) -> Iterator[None]:
        try:
            yield
        except CannotRunError as error:
            self.leave_out(name, error)


def measure(mode: Mode, options: argparse.Namespace, bundle: Bundle) -> dict[str, Any]:
    """Measure all rounds of one mode."""
    with confined(mode.cores), tempfile.TemporaryDirectory(prefix="peers-") as folder:
        bench = PeerBenchmark(mode, options, Path(folder), bundle)
        try:
            for number in range(options.rounds):
                bench.run_round(number)
                speeds = (f"{name} {one.frames_per_s[-1]:.1f}" for name, one in bench.measured.items())
                print(f"{mode.name}, round {number + 1}, frames/s: {', '.join(speeds)}", flush=True)
        finally:
            bench.close()
        peers = {name: vars(one) for name, one in bench.measured.items()}
        return {**vars(mode), "broker": bench.broker, "peers": peers, "missing": bench.missing}


def arguments() -> argparse.Namespace:
    """Options from the command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds in each mode (default 7)")
    parser.add_argument("--seconds", type=float, default=1.2, help="at full speed, a round and peer (default 1.2)")
    parser.add_argument("--paced-seconds", type=float, default=3.0, help="at the pace, a round and peer (default 3)")
    parser.add_argument("--fps", type=float, default=30.0, help="the pace (default 30)")
    parser.add_argument("--quick", action="store_true", help="2 short rounds: shows that it works, proves nothing")
    parser.add_argument("--only", default=",".join(PEERS), help=f"peers, with commas between: {', '.join(PEERS)}")
    parser.add_argument("--modes", default=",".join(mode.name for mode in MODES), help="which, with commas between")
    parser.add_argument("--model", type=Path, default=SHIPPED_BUNDLE, help="the bundle (default: the one that ships)")
    parser.add_argument("--onnx", type=Path, default=ROOT / ".venv-peers/model.onnx", help="the same as ONNX")
    parser.add_argument("--python", action="append", default=[], metavar="PEER=FILE", help="the Python of one peer")
    parser.add_argument("--json", type=Path, help="put everything measured into this file, under `peers`")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.paced_seconds = 2, 0.3, 0.5
    known = {mode.name: mode for mode in MODES}
    options.only, options.modes = options.only.split(","), options.modes.split(",")
    for what, given, possible in (("--only", options.only, PEERS), ("--modes", options.modes, known)):
        if not set(given) <= set(possible):
            parser.error(f"{what}: expected some of {', '.join(possible)}, got {','.join(given)}")
    if BARE not in options.only:
        options.only.insert(0, BARE)
    options.modes = [known[name] for name in options.modes]
    given = dict(one.partition("=")[::2] for one in options.python)
    if not set(given) <= set(PEERS):
        parser.error(f"--python: expected PEER=FILE with one of {', '.join(PEERS)}, got {options.python}")
    paths = {name: ROOT / f".venv-{venv}/bin/python" for name, venv in VENVS.items()}
    options.python = {name: Path(given.get(name) or paths.get(name, sys.executable)) for name in PEERS}
    return options


def main() -> int:
    """Measure, print, and write the results."""
    options = arguments()
    try:
        bundle = load_bundle(str(options.model))
    except EdgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    began, here = time.monotonic(), describe_machine()
    modes = {mode.name: measure(mode, options, bundle) for mode in options.modes}
    results = {
        "machine": here,
        "version": __version__,
        "model": {"name": bundle.manifest.name, "version": bundle.manifest.version, "sha256": bundle.sha256},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "settings": {key: getattr(options, key) for key in ("rounds", "seconds", "paced_seconds", "fps", "quick")},
        "minutes": round((time.monotonic() - began) / 60, 1),
        "modes": modes,
    }
    print(console(results))
    if options.json:
        write_section(options.json, "peers", results)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted: nothing was kept", file=sys.stderr)
        sys.exit(130)
