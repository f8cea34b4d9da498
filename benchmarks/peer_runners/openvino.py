"""OpenVINO, which reads the ``.tflite`` file itself."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from peer_runners.peer import CannotRunError, Peer, PeerSetup
from peer_runners.resize import resize_to_input

if TYPE_CHECKING:
    from numpy.typing import NDArray


CONFIGURATIONS: dict[str, dict[str, str]] = {"": {}, ", without snippets": {"SNIPPETS_MODE": "DISABLE"}}
"""What to try, in this order. 2025.4 and 2026.4 refuse graphs like ours while their code generator for chains of small
operators takes part ("Layout rank can't be larger than tensor rank"); without it they run them."""


class OpenVino(Peer):
    """Peer: OpenVINO with its CPU plugin, tuned for latency."""

    def __init__(self, setup: PeerSetup) -> None:
        super().__init__(setup)
        try:
            import openvino
        except ImportError as error:
            raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
        self.threads = setup.threads
        self.version = version("openvino")
        core = openvino.Core()
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": setup.threads, "NUM_STREAMS": 1}
        refusal = ""
        for way, more in CONFIGURATIONS.items():
            try:
                compiled = core.compile_model(core.read_model(setup.model), "CPU", {**config, **more})
            except RuntimeError as error:
                refusal = refusal or str(error).strip().splitlines()[-1]
                continue
            self.version += way
            break
        else:
            raise CannotRunError(f"it refuses the model: {refusal}")
        self._request = compiled.create_infer_request()
        self._shape = tuple(compiled.inputs[0].shape)
        self._count = len(compiled.outputs)
        # It gives quantised outputs as they are, or as floats: which one, the type says.
        self._scale = 1 / 256 if compiled.outputs[0].element_type.is_integral() else 1.0

    def infer(self, item: NDArray[Any]) -> float:
        """Implement `Peer.infer` for (H, W, 3) uint8 RGB: resize and run the request."""
        self._request.infer([resize_to_input(item, self._shape)], share_inputs=True)
        heads = [self._request.get_output_tensor(number).data for number in range(self._count)]
        return float(heads[0].flat[-1]) * self._scale
