"""LiteRT alone (the limit: what `invoke` costs, and nothing else), and the older tflite-runtime with a resize."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rivals.peer import CannotRunError, Order, Peer
from rivals.pictures import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Interpreted(Peer):
    """Resize, fill the input, invoke, fetch all outputs."""

    def __init__(self, order: Order, kind: Any) -> None:
        """``kind`` is the Interpreter class."""
        super().__init__(order)
        self.threads = order.threads
        self._interpreter = kind(model_path=order.model, num_threads=order.threads)
        self._interpreter.allocate_tensors()
        source = self._interpreter.get_input_details()[0]
        self._source, self.shape = source["index"], tuple(int(side) for side in source["shape"])
        outputs = self._interpreter.get_output_details()
        self._outputs = [output["index"] for output in outputs]
        self._scale = float(outputs[0]["quantization"][0])

    def answer(self, item: NDArray[Any]) -> float:
        """See `Peer`."""
        return self.invoke(fit(item, self.shape))

    def invoke(self, tensor: NDArray[Any]) -> float:
        """What bare means."""
        self._interpreter.set_tensor(self._source, tensor)
        self._interpreter.invoke()
        heads = [self._interpreter.get_tensor(index) for index in self._outputs]
        return float(heads[0].flat[-1]) * self._scale


class Bare(Interpreted):
    """LiteRT; pictures are resized before the time counts."""

    def __init__(self, order: Order) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise CannotRunError(f"{error}; pip install ai-edge-litert") from error
        super().__init__(order, Interpreter)
        self.version = version("ai-edge-litert")

    def ready(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The tensor."""
        return fit(picture, self.shape)

    def answer(self, item: NDArray[Any]) -> float:
        """Invoke alone."""
        return self.invoke(item)


class TfliteRuntime(Interpreted):
    """tflite-runtime, which many devices still have."""

    def __init__(self, order: Order) -> None:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
        super().__init__(order, Interpreter)
        self.version = version("tflite-runtime")
