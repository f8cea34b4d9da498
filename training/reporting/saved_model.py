"""Loading of a run's SavedModel as a function of one tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class SavedModelRunner:
    """Runner of a run's SavedModel: a tensor in, heads by name out, without the batch axis."""

    def __init__(self, run: Path) -> None:
        import tensorflow as tf

        if not (run / "saved_model").is_dir():
            raise ConfigError(f"{run} has no saved_model", hint="give a run that `python -m training run` has finished")
        self._tf = tf
        self._model = tf.saved_model.load(str(run / "saved_model"))
        self._serve = self._model.signatures["serving_default"]

    def __call__(self, tensor: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run the model on a tensor (h, w, 3) uint8 as preprocessing made it; return the heads by name, float32."""
        heads = self._serve(image=self._tf.constant(tensor[None], self._tf.float32))
        return {name: values.numpy()[0] for name, values in heads.items()}
