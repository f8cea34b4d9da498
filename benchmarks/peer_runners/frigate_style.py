"""A loop of the kind that Frigate has, written from its description: processes, shared memory, queues.

    capture    writes each picture into a place in shared memory, and the place's number into a queue
    camera     resizes it into the detector's input in shared memory, puts its own name into the detector's queue, and
               waits for the event that says that the outputs are there; passes the result on in a queue
    detector   takes names from its queue, invokes, writes the output into shared memory, sets the camera's event
    this one   takes the results; a frame's time counts to here

One detection of a camera is under way at a time, while the next picture is captured. Motion detection and the cutting
into regions, which Frigate also does, are left out: they are not the job that is compared. The interpreter is the same
LiteRT as everybody's.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import replace
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, Any

import numpy as np

from peer_runners.frame_schedule import as_fast_as_taken, due_times
from peer_runners.litert import Bare
from peer_runners.peer import Peer, PeerSetup
from peer_runners.resize import resize_to_input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event

    from numpy.typing import NDArray

PLACES = 10
"""Pictures in shared memory."""
AHEAD = 2
"""Captured pictures that wait for the camera process; while there are so many, capture waits."""
CAMERA = "camera"
TIMEOUT_S = 30.0

processes = multiprocessing.get_context("spawn")


def run_capture(pictures: NDArray[Any], memory: str, orders: Queue[Any], captured: Queue[Any]) -> None:
    """Capture process: writes each picture, (H, W, 3) uint8 RGB, into shared memory when it is due.

    An order is a function that gives the times of frames; each ends with None in the queue.
    """
    shared = SharedMemory(memory)
    places = np.ndarray((PLACES, *pictures.shape[1:]), np.uint8, shared.buf)
    while True:
        for number, due in enumerate(orders.get()()):
            places[number % PLACES] = pictures[number % len(pictures)]
            captured.put((number % PLACES, due))
        captured.put(None)


def run_camera(
    size: tuple[int, ...],
    shape: tuple[int, ...],
    memories: tuple[str, str, str],
    captured: Queue[Any],
    detections: Queue[str],
    done: Event,
    results: Queue[Any],
) -> None:
    """Camera process: resizes each picture and waits for its detection.

    ``size``: (H, W, 3) of a picture, uint8 RGB; ``shape``: (1, h, w, c) of the detector's input, uint8.
    """
    shared = [SharedMemory(name) for name in memories]
    places = np.ndarray((PLACES, *size), np.uint8, shared[0].buf)
    tensor = np.ndarray(shape, np.uint8, shared[1].buf)
    output = np.ndarray(1, np.float64, shared[2].buf)
    while True:
        item = captured.get()
        if item is None:
            results.put(None)
            continue
        place, due = item
        tensor[:] = resize_to_input(places[place], shape)
        done.clear()
        detections.put(CAMERA)
        if not done.wait(TIMEOUT_S):
            raise RuntimeError("the detector does not answer")
        results.put((float(output[0]), due))


def run_detector(
    setup: PeerSetup, memories: tuple[str, str], detections: Queue[str], done: Event, loaded: Event
) -> None:
    """Detector process: invokes the model on the input in shared memory, as often as it is asked."""
    shared = [SharedMemory(name) for name in memories]
    engine = Bare(setup)
    tensor = np.ndarray(engine.shape, np.uint8, shared[0].buf)
    output = np.ndarray(1, np.float64, shared[1].buf)
    loaded.set()
    while True:
        detections.get()
        output[0] = engine.invoke(tensor)
        done.set()


class FrigateStyle(Peer):
    """Peer: a Frigate-style loop with one camera and one detector."""

    def __init__(self, setup: PeerSetup) -> None:
        super().__init__(setup)
        probe = Bare(setup)  # raises `CannotRunError` here and not in a child
        self.threads, self.version = setup.threads, f"LiteRT {probe.version}"
        size, shape = setup.pictures.shape[1:], probe.shape
        room = PLACES * int(np.prod(size)), int(np.prod(shape)), 8
        self._memories = [SharedMemory(create=True, size=count) for count in room]
        places, tensor, output = (memory.name for memory in self._memories)
        self._orders: Queue[Any] = processes.Queue()
        self._results: Queue[Any] = processes.Queue()
        captured: Queue[Any] = processes.Queue(AHEAD)
        detections: Queue[str] = processes.Queue()
        done, loaded = processes.Event(), processes.Event()
        self._held = (captured, detections, done, loaded)  # their names must outlive the children's start
        without = replace(setup, pictures=setup.pictures[:0])
        jobs = (
            (run_detector, (without, (tensor, output), detections, done, loaded)),
            (run_camera, (size, shape, (places, tensor, output), captured, detections, done, self._results)),
            (run_capture, (setup.pictures, places, self._orders, captured)),
        )
        self._processes = [processes.Process(target=job, args=given, daemon=True) for job, given in jobs]
        for process in self._processes:
            process.start()
        if not loaded.wait(TIMEOUT_S):
            raise RuntimeError("the detector process does not load the model")

    def golden_answer(self, picture: NDArray[Any]) -> None:
        """Always None: pictures of another size do not fit; its detector is the bare interpreter."""

    def answers(self, times: Callable[[], Iterator[int]]) -> list[tuple[float, int, int]]:
        """Answers for all frames of ``times``: (the model's first output, when due, when it was here), times in ns."""
        self._orders.put(times)
        found = []
        while (result := self._results.get(timeout=TIMEOUT_S)) is not None:
            found.append((*result, time.monotonic_ns()))
        return found

    def throughput(self, seconds: float) -> tuple[int, float]:
        """Implement `Peer.throughput`: frames answered, and the seconds that they took."""
        found = self.answers(partial(as_fast_as_taken, seconds))
        return len(found), (found[-1][2] - found[0][1]) / 1e9

    def paced(self, fps: float, seconds: float) -> dict[str, list[float]]:
        """Implement `Peer.paced`: milliseconds from when each frame was due until its result was here."""
        found = self.answers(partial(due_times, fps, seconds))
        return {"result": [(came - due) / 1e6 for _, due, came in found]}

    def close(self) -> None:
        """Implement `Peer.close`: end all processes and free the shared memory."""
        for process in self._processes:
            process.terminate()
            process.join(5)
        for memory in self._memories:
            memory.close()
            memory.unlink()
