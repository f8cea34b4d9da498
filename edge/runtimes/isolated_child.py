"""Child process of an isolated runtime: loads one runtime, then computes each tensor that the parent submits.

Run as ``python -m edge.runtimes.isolated_child`` by the parent only.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

from edge.config.uri import parse_uri
from edge.contracts.decoding import decode_json
from edge.contracts.errors import EdgeError, UsageError
from edge.contracts.tensors import Tensor
from edge.process.child import inherit
from edge.process.cores import set_cpu_affinity
from edge.process.sealed_file import SealedFile
from edge.runtimes.isolated import RuntimeHandshake, RuntimeJob, error_handshake
from edge.runtimes.shared_memory import SharedTensors

FOREVER_S = 86400.0
"""The parent keeps the time limit, and ends this process when it runs out."""


def main() -> int:
    """Load the runtime, send the handshake, then compute one tensor at a time until the parent is gone."""
    inheritance = inherit()
    control_fd, request, done = inheritance.fds[:3]  # and the model's
    control = socket.socket(fileno=control_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = decode_json(inheritance.payload, RuntimeJob)
    set_cpu_affinity(job.cores)  # before the library starts its threads
    try:
        # Not edge.plugins, which stands above this layer: the entry point is loaded the same way.
        from importlib.metadata import entry_points

        uri = parse_uri(job.uri)
        points = [p for p in entry_points(group="edge.runtimes") if p.name == uri.scheme]
        if not points:
            known = sorted({p.name for p in entry_points(group="edge.runtimes")})
            raise UsageError(f"no runtime is called {uri.scheme}://", hint=f"there are: {', '.join(known)}")
        runtime = points[0].load()(uri, _model(job), job.manifest)
    except EdgeError as error:
        control.send(msgspec.json.encode(error_handshake(error)))
        return error.exit_code
    control.send(msgspec.json.encode(RuntimeHandshake(spec=runtime.spec)))
    _, fds, _, _ = socket.recv_fds(control, 16, 1)
    slots = SharedTensors(fds[0], runtime.spec).slots
    turns = [(Tensor(slot.input, runtime.spec.input), slot.outputs.items()) for slot in slots]
    for tensor, views in itertools.cycle(turns):
        os.eventfd_read(request)  # one turn each; returns at once where the next tensor is there already
        runtime.submit(tensor)
        outputs = runtime.wait(FOREVER_S)
        if outputs is None:
            break  # the parent, which waits for this answer, has given us up long before
        for name, view in views:
            view[:] = outputs[name]
        os.eventfd_write(done, 1)
    return 0


def _model(job: RuntimeJob) -> SealedFile | None:
    if job.model is None:
        return None
    return SealedFile(job.model.fd, Path(job.model.origin), job.model.sha256, job.model.size)


if __name__ == "__main__":
    sys.exit(main())
