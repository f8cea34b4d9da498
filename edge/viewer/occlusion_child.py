"""Child process that computes occlusion maps: how a model's number changes when a place of the picture is covered.

A runtime of its own, at idle priority: what judges never waits for it. Requests come on stdin (four bytes with the
length of a JSON header, the header, the pixels), answers go to stdout, a JSON object a line. Ends with its stdin.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from edge.contracts.decoding import decode_json
from edge.contracts.region import Region

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Runtime

CELLS = 8
"""Places along each side of the picture; each of the 64 costs a run of the model."""
WAIT_S = 2.0


class MapRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One picture to make a map of; its pixels follow."""

    shape: tuple[int, ...]
    """(H, W) or (H, W, 3), uint8."""
    region: Region
    """Region that the model is to look at, in pixels of this picture."""


class MapAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The map of one picture, or why there is none."""

    error: str | None = None
    """Why there is no map; None: there is one."""
    number: float = 0.0
    """The model's number (malignancy, or the score of its first label) of the whole picture, not calibrated."""
    label: str = ""
    """Label that the number is of; empty: malignancy."""
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Part of the picture that the map covers, in pixels: what the model sees."""
    changes: list[list[float]] = []
    """By how much the number changes where a cell is covered; rows from the top."""


def occlusion_map(
    values: NDArray[Any],
    inner: tuple[int, int, int, int],
    number_of: Callable[[NDArray[Any]], float],
    cells: int = CELLS,
) -> tuple[float, list[list[float]]]:
    """Number of a whole input, and by how much it changes where each cell of its picture is covered with its mean.

    Args:
        values: input tensor, (1, h, w, c); not changed.
        inner: (x, y, w, h) of the picture in it.
        number_of: runs the model.
        cells: along each side.
    """
    x, y, w, h = inner
    whole = number_of(values)
    mean = values[:, y : y + h, x : x + w].mean()
    changes = []
    for row in range(cells):
        line = []
        for column in range(cells):
            covered = values.copy()
            top, bottom = y + h * row // cells, y + h * (row + 1) // cells
            left, right = x + w * column // cells, x + w * (column + 1) // cells
            covered[:, top:bottom, left:right] = mean
            line.append(round(number_of(covered) - whole, 4))
        changes.append(line)
    return whole, changes


class MapMaker:
    """Makes maps with one model, on a runtime of its own that has passed its self-test."""

    def __init__(self, settings_json: bytes) -> None:
        """Load the model of the settings. Raises `EdgeError` where it cannot be had."""
        from edge.app.compose import choose_model, runtime_maker
        from edge.config.settings import Settings
        from edge.pipeline.selftest import require_selftest
        from edge.preprocess.recipes import make_preprocessor

        settings = decode_json(settings_json, Settings)
        model = choose_model(settings)
        self._manifest: BundleManifest = model.manifest
        self._runtime: Runtime = runtime_maker(settings, model, isolated=False)(settings.runtime.uri)
        if model.bundle is not None:
            require_selftest(model.bundle, self._runtime)
        self._preprocess = make_preprocessor(model.manifest)

    def make(self, pixels: NDArray[np.uint8], region: Region) -> MapAnswer:
        """Make the map of one picture."""
        import numpy as np

        values = np.empty(self._manifest.input.shape, self._manifest.input.dtype)
        _, placed = self._preprocess(pixels, (region,), values)
        head, place, label = self._head(values)

        def number_of(covered: NDArray[Any]) -> float:
            return float(self._outputs(covered, head).reshape(-1)[place])

        number, changes = occlusion_map(values, placed.inner, number_of)
        return MapAnswer(number=round(number, 4), label=label, box=placed.crop, changes=changes)

    def _head(self, values: NDArray[Any]) -> tuple[str, int, str]:
        """Head, place in it, and label that the map is about: malignancy, or the label with the highest score."""
        if "malignancy" in self._manifest.heads:
            return "malignancy", 1, ""
        place = int(self._outputs(values, "labels").reshape(-1).argmax())
        return "labels", place, self._manifest.heads["labels"].class_names[place]

    def _outputs(self, values: NDArray[Any], head: str) -> NDArray[np.float32]:
        from edge.contracts.tensors import Tensor
        from edge.postprocess.dequantise import dequantise

        self._runtime.submit(Tensor(values, self._manifest.input))
        outputs = self._runtime.wait(WAIT_S)
        if outputs is None:
            raise TimeoutError
        return dequantise(outputs[head], self._manifest.heads[head].tensor)


def be_idle() -> None:
    """Take only what the processor has left, as far as a sandbox allows it."""
    with contextlib.suppress(OSError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def answer_requests(maker: MapMaker, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    import numpy as np

    while len(head := requests.read(4)) == 4:
        request = decode_json(requests.read(int.from_bytes(head, "big")), MapRequest)
        pixels = np.frombuffer(requests.read(int(np.prod(request.shape))), np.uint8).reshape(request.shape)
        try:
            answer = maker.make(pixels, request.region)
        except Exception as error:
            answer = MapAnswer(error=type(error).__name__)
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


def main() -> int:
    """Main function: read the settings, load the model, answer requests; the exit code."""
    be_idle()
    requests = sys.stdin.buffer
    settings = requests.read(int.from_bytes(requests.read(4), "big"))
    answer_requests(MapMaker(settings), requests, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
