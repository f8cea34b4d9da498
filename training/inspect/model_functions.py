"""Models as functions of one tensor, for evaluation: a TFLite graph, or the float model of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Heads = dict[str, NDArray[Any]]


def interpreter(graph: bytes) -> Callable[[NDArray[Any]], Heads]:
    """Function of a tensor (1, h, w, c) to raw outputs by head name."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=graph, num_threads=1)
    runner = interpreter.get_signature_runner()
    (name,) = runner.get_input_details()
    return lambda tensor: runner(**{name: tensor})


def served(run: Path) -> Callable[[NDArray[Any]], Heads]:
    """Function of a tensor (1, h, w, c) to the outputs of a run's float model by name, without the batch axis."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(run / "saved_model"))
    serve = loaded.signatures["serving_default"]

    def call(tensor: NDArray[np.uint8], _alive: Any = loaded) -> Heads:  # the signature does not keep it alive
        found = serve(image=tf.constant(tensor, tf.float32))
        return {name: value.numpy()[0] for name, value in found.items()}

    return call
