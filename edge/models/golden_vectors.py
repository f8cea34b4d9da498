"""Golden vectors, ``golden.npz``: frames, the tensors they must become, and the outputs that these must give.

frame_000 …      (H, W) grey or (H, W, 3) RGB, uint8: raw phantom frames, of any size
regions_000 …    (n, 6) float64: x, y, width, height in pixels, mm_x, mm_y; NaN: not calibrated
tensors          (cases, height, width, channels) of the input's type
output_<head>    (cases, …): raw, as the model gives them
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ModelError
from edge.contracts.region import Region
from edge.models.zip_directory import open_zip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.manifest import BundleManifest

MAX_CASES = 32
MAX_UNPACKED = 64 * 2**20
"""Most bytes of all arrays together."""
MIN_FRAME_SIDE, MAX_SIDE = 16, 4096
MAX_REGIONS = 64
"""Most regions of a frame: an ultrasound screen has a few, and each becomes an object."""
HINT = "the bundle is damaged: copy it again, or export it anew"


@dataclass(frozen=True, slots=True)
class GoldenVectors:
    """Golden vectors: what a device must compute, bit for bit where the manifest says so.

    Item ``i`` of each field belongs to case ``i``.
    """

    frames: tuple[NDArray[np.uint8], ...]
    """(H, W) grey or (H, W, 3) RGB, raw."""
    regions: tuple[tuple[Region, ...], ...]
    """Regions of each frame, for the preprocessor."""
    tensors: NDArray[Any]
    """(cases, height, width, channels): exactly what the recipe makes of the frames."""
    outputs: dict[str, NDArray[Any]]
    """By head name, (cases, …) of the head's dtype: raw (still quantised) outputs."""

    def __len__(self) -> int:
        return len(self.frames)

    def expected(self, case: int) -> dict[str, NDArray[Any]]:
        """Expected outputs of one case by head name, each with the head's own shape (1, …) and dtype."""
        return {name: values[case : case + 1] for name, values in self.outputs.items()}


def read_golden(body: bytes, manifest: BundleManifest) -> GoldenVectors:
    """Decode ``golden.npz``. Raises `ModelError` unless shapes and dtypes are those of the manifest."""
    arrays = read_arrays(body)
    cases = sum(name.startswith("frame_") for name in arrays)
    expected = {"tensors", *(f"{kind}_{i:03d}" for kind in ("frame", "regions") for i in range(cases))}
    expected |= {f"output_{name}" for name in manifest.heads}
    if set(arrays) != expected or not 1 <= cases <= MAX_CASES:
        wrong = sorted(set(arrays) ^ expected)[:4]
        raise ModelError(f"golden.npz: {cases} cases, missing or unknown: {', '.join(wrong) or 'none'}", hint=HINT)
    _expect(arrays["tensors"], (cases, *manifest.input.shape[1:]), manifest.input.dtype, "tensors")
    for name, head in manifest.heads.items():
        _expect(arrays[f"output_{name}"], (cases, *head.tensor.shape[1:]), head.tensor.dtype, f"output_{name}")
    return GoldenVectors(
        frames=tuple(_frame(arrays[f"frame_{i:03d}"], i) for i in range(cases)),
        regions=tuple(_regions(arrays[f"regions_{i:03d}"], i) for i in range(cases)),
        tensors=arrays["tensors"],
        outputs={name: arrays[f"output_{name}"] for name in manifest.heads},
    )


def read_arrays(body: bytes) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz, by name. Nothing is unpickled, and no more is unpacked than `MAX_UNPACKED`.

    Raises `ModelError` for what is damaged or too large.
    """
    left = MAX_UNPACKED
    arrays = {}
    try:
        with open_zip(body, 3 * MAX_CASES, "golden.npz") as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                with archive.open(info) as member:
                    arrays[name] = _read_array(member, name, left)
                left -= arrays[name].nbytes
    except ModelError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for damaged input
        raise ModelError(f"golden.npz cannot be read: {error}", hint=HINT) from error
    return arrays


def _read_array(file: IO[bytes], name: str, most: int) -> NDArray[Any]:
    """One .npy of up to ``most`` bytes. Its header's claim is checked before anything is unpacked behind it."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("expected .npy format 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    size = math.prod(shape) * dtype.itemsize
    if fortran or dtype.hasobject or dtype.kind not in "uif" or min(shape, default=1) < 0:
        raise ValueError(f"{name}: {dtype} {shape}")
    if name.startswith("regions_") and shape[:1] > (MAX_REGIONS,):
        raise ModelError(f"golden.npz: {name} holds {shape[0]} regions, at most {MAX_REGIONS} are read", hint=HINT)
    if name.startswith("frame_") and max(shape, default=0) > MAX_SIDE:
        raise ModelError(f"golden.npz: {name} {shape}: a side is over {MAX_SIDE} pixels", hint=HINT)
    if size > most:
        raise ModelError(f"golden.npz: with {name} {shape} it unpacks to over {MAX_UNPACKED // 2**20} MB", hint=HINT)
    data = file.read(size + 1)
    if len(data) != size:
        raise ValueError(f"{name}: {dtype} {shape} in {'more' if len(data) > size else 'fewer'} bytes")
    return np.frombuffer(data, dtype).reshape(shape)  # read-only, as golden vectors should be


def _expect(array: NDArray[Any], shape: tuple[int, ...], dtype: str, name: str) -> None:
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ModelError(
            f"golden.npz: expected {name} {shape} {dtype}, got {array.shape} {array.dtype.name}", hint=HINT
        )


def _frame(array: NDArray[Any], case: int) -> NDArray[np.uint8]:
    colour = array.ndim == 3 and array.shape[2] == 3
    if (
        array.dtype != np.uint8
        or not (array.ndim == 2 or colour)
        or not all(MIN_FRAME_SIDE <= n <= MAX_SIDE for n in array.shape[:2])
    ):
        raise ModelError(
            f"golden.npz: expected frame {case} (H, W) or (H, W, 3) uint8 with sides of {MIN_FRAME_SIDE} to "
            f"{MAX_SIDE}, got {array.shape} {array.dtype.name}",
            hint=HINT,
        )
    return array


def _regions(array: NDArray[Any], case: int) -> tuple[Region, ...]:
    fits = array.dtype == np.float64 and array.ndim == 2 and array.shape[1] == 6
    with np.errstate(invalid="ignore"):  # NaN in mm_x and mm_y: not calibrated
        if (
            not fits
            or not (np.abs(array[:, :4]) <= MAX_SIDE).all()
            or ((array[:, 4:] <= 0) | np.isinf(array[:, 4:])).any()
        ):
            raise ModelError(f"golden.npz: expected regions {case} (n, 6) float64 within the frame", hint=HINT)
    found = []
    for x, y, w, h, mm_x, mm_y in array.tolist():
        found.append(
            Region(
                box=(int(x), int(y), int(w), int(h)),
                mm_x=None if math.isnan(mm_x) else mm_x,
                mm_y=None if math.isnan(mm_y) else mm_y,
                source="phantom",
            )
        )
    return tuple(found)
