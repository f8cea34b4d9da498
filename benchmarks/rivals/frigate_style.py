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

from rivals.litert import Bare
from rivals.pace import as_fast_as_taken, due_times
from rivals.peer import Order, Peer
from rivals.pictures import fit

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
PATIENCE_S = 30.0

processes = multiprocessing.get_context("spawn")


def capture(pictures: NDArray[Any], memory: str, orders: Queue[Any], captured: Queue[Any]) -> None:
    """The capture process. An order is a function that gives the times of frames; each ends with None in the queue."""
    shared = SharedMemory(memory)
    places = np.ndarray((PLACES, *pictures.shape[1:]), np.uint8, shared.buf)
    while True:
        for number, due in enumerate(orders.get()()):
            places[number % PLACES] = pictures[number % len(pictures)]
            captured.put((number % PLACES, due))
        captured.put(None)


def camera(
    size: tuple[int, ...],
    shape: tuple[int, ...],
    memories: tuple[str, str, str],
    captured: Queue[Any],
    detections: Queue[str],
    done: Event,
    results: Queue[Any],
) -> None:
    """The camera process. ``size``: of a picture; ``shape``: of the detector's input."""
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
        tensor[:] = fit(places[place], shape)
        done.clear()
        detections.put(CAMERA)
        if not done.wait(PATIENCE_S):
            raise RuntimeError("the detector does not answer")
        results.put((float(output[0]), due))


def detector(order: Order, memories: tuple[str, str], detections: Queue[str], done: Event, loaded: Event) -> None:
    """The detector process."""
    shared = [SharedMemory(name) for name in memories]
    engine = Bare(order)
    tensor = np.ndarray(engine.shape, np.uint8, shared[0].buf)
    output = np.ndarray(1, np.float64, shared[1].buf)
    loaded.set()
    while True:
        detections.get()
        output[0] = engine.invoke(tensor)
        done.set()


class FrigateStyle(Peer):
    """One camera and one detector."""

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        probe = Bare(order)  # raises `CannotRunError` here and not in a child
        self.threads, self.version = order.threads, f"LiteRT {probe.version}"
        size, shape = order.pictures.shape[1:], probe.shape
        room = PLACES * int(np.prod(size)), int(np.prod(shape)), 8
        self._memories = [SharedMemory(create=True, size=count) for count in room]
        places, tensor, output = (memory.name for memory in self._memories)
        self._orders: Queue[Any] = processes.Queue()
        self._results: Queue[Any] = processes.Queue()
        captured: Queue[Any] = processes.Queue(AHEAD)
        detections: Queue[str] = processes.Queue()
        done, loaded = processes.Event(), processes.Event()
        self._held = (captured, detections, done, loaded)  # their names must outlive the children's start
        without = replace(order, pictures=order.pictures[:0])
        jobs = (
            (detector, (without, (tensor, output), detections, done, loaded)),
            (camera, (size, shape, (places, tensor, output), captured, detections, done, self._results)),
            (capture, (order.pictures, places, self._orders, captured)),
        )
        self._processes = [processes.Process(target=job, args=given, daemon=True) for job, given in jobs]
        for process in self._processes:
            process.start()
        if not loaded.wait(PATIENCE_S):
            raise RuntimeError("the detector process does not load the model")

    def says(self, picture: NDArray[Any]) -> None:
        """None: pictures of another size do not fit; its detector is the bare interpreter."""

    def answers(self, times: Callable[[], Iterator[int]]) -> list[tuple[float, int, int]]:
        """The model's first output for each frame, when it was due, and when its result was here (both in ns)."""
        self._orders.put(times)
        found = []
        while (result := self._results.get(timeout=PATIENCE_S)) is not None:
            found.append((*result, time.monotonic_ns()))
        return found

    def throughput(self, seconds: float) -> tuple[int, float]:
        """See `Peer`."""
        found = self.answers(partial(as_fast_as_taken, seconds))
        return len(found), (found[-1][2] - found[0][1]) / 1e9

    def paced(self, fps: float, seconds: float) -> dict[str, list[float]]:
        """See `Peer`."""
        found = self.answers(partial(due_times, fps, seconds))
        return {"result": [(came - due) / 1e6 for _, due, came in found]}

    def close(self) -> None:
        """See `Peer`."""
        for process in self._processes:
            process.terminate()
            process.join(5)
        for memory in self._memories:
            memory.close()
            memory.unlink()
