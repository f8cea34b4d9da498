"""MediaPipe Tasks' ImageClassifier: the same file, its own resize and its own reading of the outputs."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rivals.peer import CannotRunError, Order, Peer

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MediaPipe(Peer):
    """On the CPU, where it uses XNNPACK with one thread and cannot be told otherwise from Python."""

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
        if order.threads != 1:
            raise CannotRunError("its Python API has no setting for threads")
        self.threads = 1
        self.version = version("mediapipe")
        self._image, self._rgb = mediapipe.Image, mediapipe.ImageFormat.SRGB
        options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=order.model))
        self._classifier = vision.ImageClassifier.create_from_options(options)

    def answer(self, item: NDArray[Any]) -> float:
        """See `Peer`."""
        result = self._classifier.classify(self._image(image_format=self._rgb, data=item))
        # Sorted by score; the last label is the one that the others read from the tensor's end.
        return max(result.classifications[0].categories, key=lambda category: category.index).score

    def close(self) -> None:
        """See `Peer`."""
        self._classifier.close()
