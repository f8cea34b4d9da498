"""Hashes of what a machine computes of pictures: run on both machines, compared by `arm.compare_fingerprints`.

    python fingerprint.py FOLDER

Prints JSON lines. The first says what computes, and how the golden vectors came out; each other one belongs to a frame
or a phantom: ``{"what", "name", "index", "hashes": {name: SHA-256 or values}}``. Needs nothing else of the tests: this
file is copied into the Arm root.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.config.settings import StreamSettings
from edge.contracts.errors import EdgeError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.manifest import PreprocessRecipe
from edge.contracts.tensors import Tensor
from edge.infer.inputs import find_inputs
from edge.models.bundle import load_bundle
from edge.models.clip_model import read_clip_model
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.pipeline.selftest import run_selftest
from edge.plugins import make_runtime, make_source
from edge.preprocess.preprocessor import Preprocessor
from edge.runtimes.clip_step import make_clip_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.contracts.ports import Runtime
    from edge.models.bundle import Bundle

THREADS = (1, 2)
"""Golden vectors are computed with each; frames with the first."""
STEP = "recurrent_step.tflite"
"""Beside this file, or in the folder above it."""
FRAMES_A_FILE = 3
FEW = 8
TIMEOUT_S = 600.0
LIBRARIES = ("sonoedge", "numpy", "opencv-python-headless", "ai-edge-litert", "pydicom")
OTHER_RECIPES = {
    "full 224, median 3": PreprocessRecipe(width=224, height=224, crop="full", median=3),
    "96 x 128 grey, median 5, contrast": PreprocessRecipe(
        width=96, height=128, channels=1, median=5, contrast=[round(255 * (v / 255) ** 0.5) for v in range(256)]
    ),
}
"""Beside the model's own: so that every operation that a recipe can ask for is compared."""
PHANTOMS = (PhantomSpec(seed=1), PhantomSpec(seed=9, geometry="sector", lesions=3))


def digest(array: NDArray[Any]) -> str:
    """SHA-256, hex, of an array's shape, dtype and bytes."""
    head = f"{array.shape} {array.dtype.str} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def frames(folder: Path) -> Iterator[tuple[str, int, Frame | str]]:
    """Yield file name, number in the file, and a frame or why there is none: the first `FRAMES_A_FILE` of each file."""
    inputs, _ = find_inputs([folder])
    for given in inputs:
        if given.scheme is None:
            yield given.path.name, 0, given.problem
            continue
        source = make_source(StreamSettings(name="arm", source=given.uri))
        try:
            source.open()
            index = 0
            while index < FRAMES_A_FILE:
                item = source.read(1.0)
                if isinstance(item, SourceEvent) and item.kind == "ended":
                    break
                if item is not None:
                    yield given.path.name, index, item if isinstance(item, Frame) else str(item.reason)
                    index += 1
        except EdgeError as error:
            yield given.path.name, 0, error.message
        finally:
            source.close()


def print_record(what: str, name: str, index: int, hashes: dict[str, str]) -> None:
    """Print one record as a JSON line."""
    print(json.dumps({"what": what, "name": name, "index": index, "hashes": hashes}), flush=True)


def output_hashes(bundle: Bundle, runtime: Runtime, tensor: NDArray[np.uint8]) -> dict[str, str]:
    """Outputs of ``runtime`` for ``tensor`` (1, H, W, C) uint8, by head: hashes; up to `FEW` values as they are."""
    runtime.submit(Tensor(tensor, bundle.manifest.input))
    heads = runtime.wait(TIMEOUT_S)
    if heads is None:
        raise RuntimeError(f"no answer within {TIMEOUT_S:.0f} s")
    return {
        f"output {head}": " ".join(map(str, values.ravel().tolist())) if values.size <= FEW else digest(values)
        for head, values in heads.items()
    }


def step_problems() -> list[str]:
    """What is wrong with 120 steps of the tests' recurrent step on this machine; empty: each gave the golden bytes."""
    beside = Path(__file__).with_name(STEP)
    path = beside if beside.is_file() else Path(__file__).parent.parent / STEP
    try:
        make_clip_step(read_clip_model(path.read_bytes(), "0" * 64))
    except EdgeError as error:
        return [error.message]
    return []


def main(folder: Path) -> None:
    """Print the head and the records of all frames in ``folder`` as JSON lines."""
    bundle = load_bundle(None)
    runtimes = [make_runtime(f"litert://?threads={n}", str(bundle.path), bundle.manifest) for n in THREADS]
    head = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "model": bundle.sha256,
        "runtime": msgspec.to_builtins(runtimes[0].spec),
        "golden_cases": len(bundle.golden),
        "golden": {f"{n} threads": run_selftest(bundle, r).problems for n, r in zip(THREADS, runtimes, strict=True)},
    }
    head["golden"]["recurrent step"] = step_problems()
    print(json.dumps(head), flush=True)

    recipes = {"model": bundle.manifest.recipe, **OTHER_RECIPES}
    preprocessors = {name: Preprocessor(recipe) for name, recipe in recipes.items()}
    for name, index, frame in frames(folder):
        if isinstance(frame, str):
            print_record("unread", name, index, {"reason": frame})
            continue
        hashes = {"pixels": digest(frame.pixels)}
        for recipe, preprocess in preprocessors.items():
            tensor, placed = preprocess(frame.pixels, frame.regions)
            hashes |= {f"tensor {recipe}": digest(tensor), f"place {recipe}": str(placed)}
            if recipe == "model":
                hashes |= output_hashes(bundle, runtimes[0], tensor)
        print_record("frame", name, index, hashes)
    for spec in PHANTOMS:
        print_record(
            "phantom", f"seed {spec.seed}, {spec.geometry}", 40, {"pixels": digest(PhantomScene(spec).pixels(40))}
        )
    for runtime in runtimes:
        runtime.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
