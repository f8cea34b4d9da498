"""Occlusion map: it is of the model and of the picture; scrambled weights change it, and so does another place."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from viewer_rig import phantom

from edge.config.settings import Settings
from edge.contracts.region import Region
from edge.contracts.results import Status
from edge.models.bundle import load_bundle
from edge.tap.messages import SeenFrame
from edge.viewer.history import KeptFrame
from edge.viewer.occlusion import OcclusionMaps
from edge.viewer.occlusion_child import CELLS, MapMaker, occlusion_map

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_only_the_place_that_counts_changes_the_number() -> None:
    values = np.full((1, 64, 80, 3), 10, np.uint8)
    values[0, 20:28, 30:38] = 250

    def brightest(covered: NDArray[Any]) -> float:
        return float(covered.max()) / 250

    whole, changes = occlusion_map(values, (8, 4, 64, 56), brightest, cells=4)
    assert whole == 1.0
    assert values.max() == 250  # covered in a copy
    assert [(row, column) for row in range(4) for column in range(4) if changes[row][column] < -0.5] == [(1, 1)]


def kept_phantom() -> KeptFrame:
    pixels = np.pad(phantom(0).pixels, ((0, 0), (0, 0)))
    note = SeenFrame(
        stream="cart", seq=1, captured_ns=1, exam_id="e", size=(580, 460), box=(100, 50, 480, 360), status=Status.CLEAR
    )
    return KeptFrame(note, bytes(cv2.imencode(".jpg", pixels)[1]))


@pytest.mark.slow
def test_a_child_of_its_own_makes_the_map_in_pixels_of_the_source() -> None:
    async def run() -> None:
        maps = OcclusionMaps(Settings())
        try:
            answer = await maps.make(kept_phantom())
            again = await maps.make(kept_phantom())
        finally:
            child = maps._child
            maps.close()
            if child is not None:
                await child.wait()
        assert answer.error is None
        assert answer == again
        assert answer.box[0] >= 100
        assert answer.box[1] >= 50
        assert (len(answer.changes), len(answer.changes[0])) == (CELLS, CELLS)
        assert max(abs(change) for line in answer.changes for change in line) > 0.01

    asyncio.run(run())


def test_without_a_picture_there_is_no_map() -> None:
    maps = OcclusionMaps(Settings())
    nothing = KeptFrame(kept_phantom().note, None)
    assert asyncio.run(maps.make(nothing)).error == "no_picture"


@pytest.mark.slow
def test_scrambled_weights_change_the_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adebayo et al., 2018: a map that stays when the weights are scrambled shows the picture, not the model."""
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    bundle = load_bundle(None)
    data = bytearray(Path(bundle.file).read_bytes())
    interpreter = interpreter_module.Interpreter(model_content=bytes(data))
    interpreter.allocate_tensors()
    rng, scrambled = np.random.default_rng(0), 0
    for detail in interpreter.get_tensor_details():
        if detail["dtype"] is not np.int8 or np.prod(detail["shape"]) < 2000:
            continue
        try:
            raw = interpreter.get_tensor(detail["index"]).tobytes()
        except ValueError:  # no constant
            continue
        at = data.find(raw)
        if at >= 0 and raw.strip(b"\0"):
            data[at : at + len(raw)] = rng.permutation(np.frombuffer(raw, np.uint8)).tobytes()
            scrambled += 1
    assert scrambled >= 10
    (tmp_path / "scrambled.tflite").write_bytes(data)

    maker = MapMaker(b"{}")
    region = Region(box=(0, 0, 480, 360), source="config")
    true = np.array(maker.make(phantom(0).pixels, region).changes)
    from edge.config.uri import parse_uri
    from edge.runtimes.litert import make_litert

    maker._runtime.close()
    maker._runtime = make_litert(parse_uri("litert://?threads=1"), str(tmp_path / "scrambled.tflite"), bundle.manifest)
    other = np.array(maker.make(phantom(0).pixels, region).changes)
    maker._runtime.close()
    assert np.abs(true).max() > 0.01
    likeness = np.corrcoef(true.ravel(), other.ravel())[0, 1] if other.std() else 0.0
    assert likeness < 0.5
