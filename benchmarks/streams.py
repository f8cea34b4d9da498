"""Benchmark of 1, 2, 4 and 8 streams in one daemon: throughput, memory, and time to the first finding.

    python benchmarks/streams.py [--rounds 7] [--streams 1 2 4 8] [--json docs/peers.json]

*Streams*: `edge-cli run` as a user starts it, with so many phantoms that give as many frames as are taken, so that the
runtime is always busy; frames/s of all together and PSS of all processes. *Start*: one live phantom at 30 frames/s to a
broker; from the command until a subscriber has the first finding, and PSS by process when it has run for a while.
Rounds are interleaved; a ratio is taken within its round, before the median.

PSS (/proc/PID/smaps_rollup) counts pages that others map too by share: while other programs of the same environment
run, it flatters. In MB of 10^6 bytes, as in `health` and `edge-cli benchmark`. Linux; needs a broker.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intervals import median, ratio
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from result_file import describe_machine, write_section

from edge.bench.process_memory import measure_memory
from edge.broker.embedded_broker import start_broker
from edge.contracts.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTS = (1, 2, 4, 8)
LIVE = "phantom://?seed=1&lesions=1&fps=30"
START_S = 120.0
"""Longer than any start; then something is wrong, and the log says what."""
SETTLED = 10
"""Frames of each stream that do not count."""
CONFIG = """
[[sinks]]
uri = "{uri}"

[publish]
health_every_s = 0.5

[log]
level = "warning"
"""


class StreamsConsumer:
    """MQTT subscriber that notes the daemon's results and when its first finding came."""

    def __init__(self, port: int) -> None:
        self.results: dict[str, list[tuple[int, int]]] = {}
        """Stream -> (number of the frame, monotonic ns) of the results that it publishes a few times a second."""
        self.no_result = 0
        self.first_finding: float | None = None
        """Monotonic clock, seconds."""
        ready = threading.Event()
        version = MQTTProtocolVersion.MQTTv311  # both brokers speak it
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=version)
        self._client.on_connect = lambda client, *_: client.subscribe("edge/v1/#", qos=1)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not ready.wait(START_S):
            raise SystemExit("error: the broker does not answer\nhint: see whether mosquitto runs")

    def _on_message(self, client: Client, data: Any, message: Any) -> None:
        if "/findings/" in message.topic and self.first_finding is None:
            self.first_finding = time.monotonic()
        elif "/results/" in message.topic:
            result = json.loads(message.payload)
            self.results.setdefault(result["stream"], []).append((result["frame_seq"], result["mono_ns"]))
        elif message.topic.endswith("/health"):
            self.no_result = json.loads(message.payload)["no_result"]

    def numbers(self) -> dict[str, tuple[int, int]]:
        """Newest of `results`, by stream: (number of the frame, monotonic ns)."""
        return {stream: entries[-1] for stream, entries in self.results.items()}

    def close(self) -> None:
        """Disconnect the subscriber from the broker."""
        self._client.disconnect()
        self._client.loop_stop()


class RunningDaemon:
    """Daemon process with a subscriber on its broker."""

    def __init__(self, folder: Path, sources: list[str], port: int, uri: str) -> None:
        (folder / "edge.toml").write_text(CONFIG.format(uri=uri))
        command = [sys.executable, "-P", "-m", "edge.cli.main", "run", "--site", "bench", "--device", "cart"]
        if sys.version_info < (3, 11):
            command.remove("-P")
        command += ["--config", str(folder / "edge.toml"), "--state-dir", str(folder / "state")]
        self._log = folder / "log"
        self.consumer = StreamsConsumer(port)
        with self._log.open("wb") as log:
            self.began = time.monotonic()
            self._daemon = subprocess.Popen(
                command + [part for source in sources for part in ("--source", source)], stdout=log, stderr=log
            )

    def wait_for(self, what: Any) -> Any:
        """Wait for the first true value of ``what()``. Raises SystemExit with the daemon's last log line if none."""
        while not (value := what()):
            if self._daemon.poll() is not None or time.monotonic() - self.began > START_S:
                words = self._log.read_text(errors="replace").strip().splitlines() or ["nothing"]
                raise SystemExit(f"error: the daemon does not come so far; it says: {words[-1]}\nhint: edge-cli doctor")
            time.sleep(0.01)
        return value

    def pss_mb(self) -> dict[str, float]:
        """PSS in MB by process: ``supervisor``, ``frame``, ``runtime``, ``publisher``."""
        return measure_memory(root=self._daemon.pid, root_name="supervisor").pss_mb

    def close(self) -> None:
        """Stop the daemon and the subscriber."""
        self._daemon.send_signal(signal.SIGTERM)
        self._daemon.wait(20)
        self.consumer.close()


@contextlib.contextmanager
def running(sources: list[str]) -> Iterator[RunningDaemon]:
    """Context manager of a daemon with ``sources``, in a folder of its own, with a broker of its own."""
    with tempfile.TemporaryDirectory(prefix="streams-") as folder, start_broker() as broker:
        daemon = RunningDaemon(Path(folder), sources, broker.port, broker.uri)
        try:
            yield daemon
        finally:
            daemon.close()


def saturated(count: int, seconds: float) -> tuple[float, float]:
    """Frames/s of ``count`` streams together, and PSS in MB. Raises SystemExit if a frame had no result."""
    sources = [f"phantom://?seed={1 + number}&lesions=1&pace=max" for number in range(count)]
    with running(sources) as daemon:
        consumer = daemon.consumer
        daemon.wait_for(lambda: sum(frame >= SETTLED for frame, _ in consumer.numbers().values()) == count)
        began = consumer.numbers()
        time.sleep(seconds)
        ended, pss = consumer.numbers(), daemon.pss_mb()
    if consumer.no_result:
        raise SystemExit(f"error: {consumer.no_result} frames had no result\nhint: is the machine busy?")
    return sum(frames_per_s(began[stream], ended[stream]) for stream in began), sum(pss.values())


def frames_per_s(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Frames/s between two (number of the frame, monotonic ns) of a stream; 0 if it stood still."""
    return 0.0 if other == one else (other[0] - one[0]) / ((other[1] - one[1]) / 1e9)


def from_start(seconds: float) -> tuple[float, dict[str, float]]:
    """Seconds from the command to the first finding at a subscriber, and PSS by process when so many have gone."""
    with running([LIVE]) as daemon:
        found = daemon.wait_for(lambda: daemon.consumer.first_finding)
        time.sleep(seconds)
        return found - daemon.began, daemon.pss_mb()


def in_words(parts: dict[str, float]) -> str:
    """Text of the memory in all, and by process."""
    return f"{sum(parts.values()):.1f} MB ({', '.join(f'{name} {mb:.1f}' for name, mb in parts.items())})"


def main() -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--seconds", type=float, default=4.0, help="measured of each (default 4)")
    parser.add_argument("--streams", type=int, nargs="+", default=list(COUNTS), help="numbers of streams, fewest first")
    parser.add_argument("--quick", action="store_true", help="1 short round: shows that it works, proves nothing")
    parser.add_argument("--json", type=Path, help="put everything measured into this file, under `streams`")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 1.0
    counts = options.streams
    results: dict[str, Any] = {
        "machine": describe_machine(),
        "counts": counts,
        "rounds": options.rounds,
        "quick": options.quick,
    }
    speed: dict[int, list[float]] = {count: [] for count in counts}
    size: dict[int, list[float]] = {count: [] for count in counts}
    start: list[float] = []
    live: list[dict[str, float]] = []
    try:
        for number in range(options.rounds):
            for count in counts if number % 2 == 0 else counts[::-1]:
                fps, mb = saturated(count, options.seconds)
                speed[count].append(round(fps, 2))
                size[count].append(round(mb, 2))
                print(f"round {number + 1}, {count} streams: {fps:.1f} frames/s, PSS {mb:.1f} MB", flush=True)
            soon_s, parts = from_start(options.seconds)
            start.append(round(soon_s, 3))
            live.append(parts)
            print(
                f"round {number + 1}, one live stream: first finding {soon_s:.2f} s, PSS {in_words(parts)}", flush=True
            )
    except EdgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    for count in counts:
        against, mb = ratio(speed[count], speed[counts[0]]), median(size[count])
        print(f"{count} streams: {against.value:.3f} ({against.low:.3f} to {against.high:.3f}) of the frames/s of "
              f"{counts[0]}, PSS {mb.value:.1f} MB ({mb.low:.1f} to {mb.high:.1f})")  # fmt: skip
    parts = {name: statistics.median(one[name] for one in live) for name in live[0]}
    print(f"one live stream: first finding {statistics.median(start):.2f} s, PSS {in_words(parts)}")
    live_size = [round(sum(one.values()), 2) for one in live]
    results |= {"frames_per_s": speed, "pss_mb": size, "first_finding_s": start}
    results |= {"live_pss_mb": live_size, "live_pss_mb_by_process": live}
    if options.json:
        write_section(options.json, "streams", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
