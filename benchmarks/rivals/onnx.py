"""ONNX Runtime, with the same graph and its integers, converted by ``python -m export onnx``."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivals.peer import CannotRunError, Order, Peer
from rivals.pictures import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OnnxRuntime(Peer):
    """Its CPU provider."""

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        try:
            import onnxruntime
        except ImportError as error:
            raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
        if not Path(order.model).is_file():
            raise CannotRunError(f"there is no {Path(order.model).name}; python -m export onnx writes it")
        self.threads = order.threads
        self.version = version("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = order.threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(order.model, options, providers=["CPUExecutionProvider"])
        source = self._session.get_inputs()[0]
        self._source, self._shape = source.name, tuple(source.shape)
        self._names = [output.name for output in self._session.get_outputs()]
        self._scale = 1.0 if "float" in self._session.get_outputs()[0].type else 1 / 256

    def answer(self, item: NDArray[Any]) -> float:
        """See `Peer`."""
        heads = self._session.run(self._names, {self._source: fit(item, self._shape)})
        return float(heads[0].flat[-1]) * self._scale
