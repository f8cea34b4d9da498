"""Isolated runtime: any runtime in a child process, which can be killed when it hangs without losing this process.

It stands behind the same port. Tensors cross in shared memory, turns in two eventfds: nothing is serialised. There are
two slots, so that the child finds the next tensor where it needs it when it has answered the last: it does not sleep,
and need not be woken, between two frames of a busy stream.
"""

from __future__ import annotations

import itertools
import os
import select
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import DeviceError, EdgeError, ModelError, ProcessKilledError, UsageError
from edge.contracts.manifest import BundleManifest
from edge.contracts.tensors import RuntimeSpec, Tensor
from edge.models.bundle_file import seal_model
from edge.process.child import Child
from edge.process.reaper import MOST_LEFT_BEHIND, reaper
from edge.runtimes.shared_memory import SLOTS, SharedTensors, make_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

START_TIMEOUT_S = 30.0
DIED_S = 1.0
"""For the exit status of a child that has closed its end."""
"""Seconds; a child on a busy Raspberry Pi that has not loaded its model by then never will."""

KINDS: dict[int, type[EdgeError]] = {kind.exit_code: kind for kind in (UsageError, ModelError, DeviceError)}
"""Errors that the child may raise while loading, by exit code."""


class PassedModel(msgspec.Struct, frozen=True):
    """The model in sealed memory, whose descriptor the child inherits under the same number."""

    fd: int
    origin: str
    sha256: str
    size: int


class RuntimeJob(msgspec.Struct, frozen=True):
    """First message to the child: which runtime and model to load, and on which cores."""

    uri: str
    model: PassedModel | None
    manifest: BundleManifest
    cores: tuple[int, ...] = ()
    """Processor cores that the child runs on; empty: those of the parent."""


class RuntimeHandshake(msgspec.Struct, frozen=True):
    """Answer of the child after loading: the runtime's spec, or the error why there is none."""

    spec: RuntimeSpec | None = None
    error: str = ""
    hint: str = ""
    exit_code: int = 0
    """Exit code of the `EdgeError` that was raised in the child: tells its class."""


class IsolatedRuntime:
    """The parent's side of a runtime in a child process. `wait` keeps its time limit; then `close` kills the child."""

    def __init__(self, uri: str, model_path: str | None, manifest: BundleManifest, cores: Sequence[int] = ()) -> None:
        """Start the child and wait until it has loaded the model. See `RuntimeJob` for ``cores``.

        The child gets the bytes of ``model_path`` as they were checked, and never opens it: where it is no `SealedFile`
        yet, it is read here and now.

        Raises:
            ModelError, DeviceError: what the runtime itself raised in the child, or that the child died or hung;
                or that earlier children of this runtime could not be killed.
        """
        refuse_if_stuck(uri, MOST_LEFT_BEHIND)
        self._closing = threading.Lock()
        model = None if model_path is None else seal_model(model_path)
        passed = None if model is None else PassedModel(model.fd, str(model.origin), model.sha256, model.size)
        # As semaphores: each read takes one turn, however many there are.
        self._request = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_SEMAPHORE)
        self._done = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK | os.EFD_SEMAPHORE)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._memory = -1
        self._child: Child | None = None
        try:
            with theirs:
                self._child = Child(
                    "edge.runtimes.isolated_child",
                    msgspec.json.encode(RuntimeJob(uri, passed, manifest, tuple(cores))),
                    (theirs.fileno(), self._request, self._done, *([] if model is None else [model.fd])),
                    name=uri,
                    own_stdout=False,
                )
            self.spec = msgspec.structs.replace(self._receive_handshake(), takes=SLOTS)
            self._memory = make_memory(self.spec)
            socket.send_fds(self._control, [b"memory"], [self._memory])
            slots = SharedTensors(self._memory, self.spec).slots
            self._fill, self._read = itertools.cycle(slots), itertools.cycle(slots)
            self._waiting = 0
            """Tensors submitted and not waited for."""
        except BaseException:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._done, select.POLLIN)
        self._poll.register(self._control, select.POLLHUP)  # the child's end closes when the child dies

    def _receive_handshake(self) -> RuntimeSpec:
        self._control.settimeout(START_TIMEOUT_S)
        try:
            data = self._control.recv(1 << 16)
        except TimeoutError:
            raise DeviceError(
                f"the runtime did not load within {START_TIMEOUT_S:.0f} s", hint="see edge-cli model verify"
            ) from None
        if not data:
            if self._child is not None and self._child.wait(DIED_S) in (-signal.SIGKILL, -signal.SIGTERM):
                raise ProcessKilledError("the runtime process was killed while loading", hint="is there memory left?")
            raise DeviceError("the runtime process died while loading", hint="its own words stand above in the log")
        try:
            handshake = decode_json(data, RuntimeHandshake)
        except UnreadableError as error:
            raise DeviceError(
                f"the runtime process said what is not understood: {error}",
                hint="was sonoedge updated while it ran? Start it again",
            ) from None
        if handshake.spec is None:
            raise KINDS.get(handshake.exit_code, DeviceError)(handshake.error, hint=handshake.hint)
        return handshake.spec

    @property
    def pid(self) -> int:
        """Process id of the child; for tests and health."""
        assert self._child is not None  # noqa: S101  (made, or __init__ has raised)
        return self._child.pid

    def submit(self, tensor: Tensor) -> None:
        """Copy ``tensor`` into shared memory; the child starts on it once it has answered the one before.

        Raises ValueError on another shape or dtype than the spec's, or if both slots are taken.
        """
        if tensor.spec.shape != self.spec.input.shape or tensor.spec.dtype != self.spec.input.dtype:
            raise ValueError(f"expected {self.spec.input}, got {tensor.spec}")
        if self._waiting == SLOTS:
            raise ValueError(f"{SLOTS} tensors are submitted and none was waited for")
        next(self._fill).input[:] = tensor.values
        self._waiting += 1
        os.eventfd_write(self._request, 1)

    def wait(self, timeout_s: float) -> Mapping[str, NDArray[Any]] | None:
        """Implement `Runtime.wait`: raw outputs by head, views of shared memory valid until the next `submit`."""
        deadline = time.monotonic() + timeout_s
        while True:
            events = self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            ready = {fd for fd, _ in events}
            if self._done in ready:
                os.eventfd_read(self._done)
                self._waiting -= 1
                return next(self._read).outputs
            if ready:
                raise DeviceError("the runtime process died", hint="it is replaced; see the log for its last words")
            if time.monotonic() >= deadline:
                return None

    def close(self) -> None:
        """Kill the child, or leave it behind where that is not possible; close its memory and all descriptors."""
        with self._closing:
            if self._request < 0:
                return
            if self._child is not None:
                self._child.kill()
            self._control.close()
            for fd in (self._request, self._done, self._memory):
                if fd >= 0:
                    os.close(fd)
            self._request = self._done = self._memory = -1


def refuse_if_stuck(uri: str, most: int = 1) -> None:
    """Raise `DeviceError` if ``most`` processes of the runtime ``uri`` or more could not be killed."""
    stuck = reaper.left_behind(uri)
    if len(stuck) >= most:
        pids = ", ".join(str(one.pid) for one in stuck)
        raise DeviceError(
            f"{len(stuck)} of its processes cannot be killed (state D: {pids}); no other is started",
            hint="its driver or device does not answer: restart the machine, or configure another runtime",
        )


def error_handshake(error: EdgeError) -> RuntimeHandshake:
    """The handshake by which the child reports that its runtime cannot be loaded."""
    return RuntimeHandshake(error=error.message, hint=error.hint, exit_code=error.exit_code)
