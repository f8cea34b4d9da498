"""ONNX Runtime, with the same graph and its integers, converted by ``python -m export onnx``."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peer_runners.peer import CannotRunError, Peer, PeerSetup
from peer_runners.resize import resize_to_input

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OnnxPeer(Peer):
    """Peer: ONNX Runtime with its CPU provider."""

    def __init__(self, setup: PeerSetup) -> None:
        super().__init__(setup)
        try:
            import onnxruntime
        except ImportError as error:
            raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
        if not Path(setup.model).is_file():
            raise CannotRunError(f"there is no {Path(setup.model).name}; python -m export onnx writes it")
        self.threads = setup.threads
        self.version = version("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = setup.threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(setup.model, options, providers=["CPUExecutionProvider"])
        source = self._session.get_inputs()[0]
        self._source, self._shape = source.name, tuple(source.shape)
        self._names = [output.name for output in self._session.get_outputs()]
        self._scale = 1.0 if "float" in self._session.get_outputs()[0].type else 1 / 256

    def infer(self, item: NDArray[Any]) -> float:
        """Implement `Peer.infer` for (H, W, 3) uint8 RGB: resize and run the session."""
        heads = self._session.run(self._names, {self._source: resize_to_input(item, self._shape)})
        return float(heads[0].flat[-1]) * self._scale
