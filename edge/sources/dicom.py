"""DICOM source, ``dicom:///file-or-folder?decode=colour|grey``: single frames and cines that scanners store."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config.file_kinds import DICOM_SUFFIXES
from edge.contracts.errors import SourceError
from edge.dicom.frame_reader import DicomFrameReader, NoDecoderError, require_decodable
from edge.dicom.header import is_dicom
from edge.sources.file_source import FilePicture, FileSource, check_size, ends_thread, printable_path, skipped_event

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np
    from numpy.typing import NDArray

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.contracts.frames import SourceEvent

DIRECTORY = "DICOMDIR"
"""PS3.10 8.6: the name of the table of contents that lies beside the files of a medium."""


def _decode_mode(text: str) -> str:
    if text not in ("colour", "grey"):
        raise ValueError(text)
    return text


class DicomSource(FileSource):
    """Source of the frames of one DICOM file, or of all DICOM files of a folder, whatever their names.

    Frames have their file's place in time, regions with millimetres, body part, side and scanner.

    ``decode=colour``: as the file has them. ``decode=grey``: all are grey, and of colour JPEG only the luminance is
    decoded, in less time. Nothing then sees colour: the gate lets photographs and colour bars through to the model's
    own anatomy head, Doppler is grey in the overlay and the viewer. Where a picture has no colour, its grey is the
    recipe's, byte for byte; of a tinted one up to 0.7 % of the pixels are off by 1 or 2.
    """

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        """Read the URI. Raises `UsageError` for an unknown parameter or way to decode."""
        uri.expect("decode")
        self._grey = uri.get("decode", _decode_mode, "colour") == "grey"
        self._refusal: SourceError | None = None
        """What is wrong with the header of the one file that was named: a hostile one is not gone through twice."""
        super().__init__(uri, stream)

    def accepts(self, path: Path) -> bool:
        """Implement `FileSource.accepts`: by content, or by suffix, so that a broken file is reported, not ignored."""
        return path.suffix.lower() in DICOM_SUFFIXES or (path.name.upper() != DIRECTORY and is_dicom(path))

    def open(self) -> None:
        """Implement `Source.open`: find the files.

        Raises:
            SourceError: as `FileSource.open`, and if the one file that was named is not DICOM, or wants a decoder that
                is not installed.
        """
        super().open()
        self._refusal = None
        path = Path(self._root)
        if path.is_file() and not is_dicom(path):
            hint = "for other pictures write images:// or video://"
            raise SourceError(f"{self._root!r} is not DICOM, or cut short", hint=hint)
        if path.is_file():
            self._refusal = require_decodable(path)

    def pictures(self, path: Path) -> Generator[FilePicture | SourceEvent]:
        """Implement `FileSource.pictures`: all frames of one file; a few of a compressed cine are decoded ahead.

        Pixels are (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        """
        if self._refusal is not None:
            raise self._refusal
        with DicomFrameReader(path, grey=self._grey, timeout_s=self.decode_timeout_s) as clip:
            check_size(clip.layout.columns, clip.layout.rows)
            with closing(clip.pictures()) as pictures:
                for index, picture in enumerate(pictures):
                    yield _frame(clip, index, picture, path)
            if clip.frames < clip.layout.frames:
                message = f"cut short: {clip.frames} of {clip.layout.frames} frames are there"
                raise SourceError(message, hint="copy or export the file again")


def _frame(
    clip: DicomFrameReader, index: int, picture: Callable[[], NDArray[np.uint8]], path: Path
) -> FilePicture | SourceEvent:
    """One frame, or that it is bad: the others need not be. Raises `NoDecoderError` if they all are."""
    try:
        pixels = picture()
    except NoDecoderError:
        raise
    except BaseException as error:  # whatever broken bytes make a decoder trip over, a native panic too
        if ends_thread(error):
            raise
        return skipped_event(path, error, f"frame {index + 1} of {max(clip.frames, clip.layout.frames)}")
    still = max(clip.frames, clip.layout.frames) == 1
    origin = replace(clip.origin, path=printable_path(path), frame_index=index, still=still, notes=clip.notes)
    return FilePicture(pixels, None if clip.times is None else clip.times[index], clip.regions, origin)
