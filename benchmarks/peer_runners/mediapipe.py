"""MediaPipe Tasks' ImageClassifier: the same file, its own resize and its own reading of the outputs."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from peer_runners.peer import CannotRunError, Peer, PeerSetup

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MediaPipe(Peer):
    """Peer: MediaPipe on the CPU, where it uses XNNPACK with one thread; Python cannot set another number."""

    def __init__(self, setup: PeerSetup) -> None:
        super().__init__(setup)
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise CannotRunError(f"{error}; make peers sets up an environment with it") from error
        if setup.threads != 1:
            raise CannotRunError("its Python API has no setting for threads")
        self.threads = 1
        self.version = version("mediapipe")
        self._image, self._rgb = mediapipe.Image, mediapipe.ImageFormat.SRGB
        options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=setup.model))
        self._classifier = vision.ImageClassifier.create_from_options(options)

    def infer(self, item: NDArray[Any]) -> float:
        """Implement `Peer.infer` for (H, W, 3) uint8 RGB."""
        result = self._classifier.classify(self._image(image_format=self._rgb, data=item))
        # Sorted by score; the last label is the one that the others read from the tensor's end.
        return max(result.classifications[0].categories, key=lambda category: category.index).score

    def close(self) -> None:
        """Implement `Peer.close`: close the classifier."""
        self._classifier.close()
