"""LiteRT alone (the limit: what `invoke` costs, and nothing else), and the older tflite-runtime with a resize."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from peer_runners.peer import CannotRunError, Peer, PeerSetup
from peer_runners.resize import resize_to_input

if TYPE_CHECKING:
    from numpy.typing import NDArray


class InterpreterPeer(Peer):
    """Peer that has a TFLite interpreter: resize, fill the input, invoke, fetch all outputs."""

    def __init__(self, setup: PeerSetup, kind: Any) -> None:
        """``kind`` is the Interpreter class."""
        super().__init__(setup)
        self.threads = setup.threads
        self._interpreter = kind(model_path=setup.model, num_threads=setup.threads)
        self._interpreter.allocate_tensors()
        source = self._interpreter.get_input_details()[0]
        self._source, self.shape = source["index"], tuple(int(side) for side in source["shape"])
        outputs = self._interpreter.get_output_details()
        self._outputs = [output["index"] for output in outputs]
        self._scale = float(outputs[0]["quantization"][0])

    def infer(self, item: NDArray[Any]) -> float:
        """Implement `Peer.infer` for (H, W, 3) uint8 RGB: resize and invoke."""
        return self.invoke(resize_to_input(item, self.shape))

    def invoke(self, tensor: NDArray[Any]) -> float:
        """Invoke the model on a finished tensor, (1, h, w, c) uint8, and fetch all outputs."""
        self._interpreter.set_tensor(self._source, tensor)
        self._interpreter.invoke()
        heads = [self._interpreter.get_tensor(index) for index in self._outputs]
        return float(heads[0].flat[-1]) * self._scale


class Bare(InterpreterPeer):
    """Peer: bare LiteRT; pictures are resized before the time counts."""

    def __init__(self, setup: PeerSetup) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise CannotRunError(f"{error}; pip install ai-edge-litert") from error
        super().__init__(setup, Interpreter)
        self.version = version("ai-edge-litert")

    def prepare(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Implement `Peer.prepare`: the picture resized to the tensor, (1, h, w, c) uint8."""
        return resize_to_input(picture, self.shape)

    def infer(self, item: NDArray[Any]) -> float:
        """Implement `Peer.infer` for a finished tensor: invoke alone."""
        return self.invoke(item)


class TfliteRuntimePeer(InterpreterPeer):
    """Peer: tflite-runtime, which many devices still have."""

    def __init__(self, setup: PeerSetup) -> None:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
        super().__init__(setup, Interpreter)
        self.version = version("tflite-runtime")
