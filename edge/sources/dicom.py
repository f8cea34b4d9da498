"""``dicom:///file-or-folder``: ultrasound as scanners and archives store it, single frames and cines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError
from edge.dicom.clip import DicomClip, NoDecoderError
from edge.dicom.header import is_dicom
from edge.sources.files import FileSource, Picture, check_size, printable, skipped

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.contracts.frames import SourceEvent

SUFFIXES = (".dcm", ".dicom", ".dic")
DIRECTORY = "DICOMDIR"
"""PS3.10 8.6: the name of the table of contents that lies beside the files of a medium."""


class DicomSource(FileSource):
    """Frames of one file, or of all DICOM files of a folder, whatever their names.

    Frames have their file's place in time, regions with millimetres, body part, side and scanner.
    """

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        """Raises `UsageError` for a parameter: there are none."""
        uri.expect()
        super().__init__(uri, stream)

    def wants(self, path: Path) -> bool:
        """By its content; one that is called DICOM is wanted in any case, so that its being broken is said."""
        return path.suffix.lower() in SUFFIXES or (path.name.upper() != DIRECTORY and is_dicom(path))

    def open(self) -> None:
        """Find the files.

        Raises:
            SourceError: as `FileSource.open`, and if the one file that was named is not DICOM.
        """
        super().open()
        path = Path(self._root)
        if path.is_file() and not is_dicom(path):
            hint = "for other pictures write images:// or video://"
            raise SourceError(f"{self._root!r} is not DICOM, or cut short", hint=hint)

    def pictures(self, path: Path) -> Generator[Picture | SourceEvent]:
        """All frames of one file, decoded one by one."""
        with DicomClip(path) as clip:
            check_size(clip.layout.columns, clip.layout.rows)
            for index in range(clip.frames):
                yield _frame(clip, index, path)
            if clip.frames < clip.layout.frames:
                message = f"cut short: {clip.frames} of {clip.layout.frames} frames are there"
                raise SourceError(message, hint="copy or export the file again")


def _frame(clip: DicomClip, index: int, path: Path) -> Picture | SourceEvent:
    """One frame, or that it is bad: the others need not be. Raises `NoDecoderError` if they all are."""
    try:
        pixels = clip.picture(index)
    except NoDecoderError:
        raise
    except Exception as error:  # whatever broken bytes make a decoder trip over
        event = skipped(path, error)
        return replace(event, detail=f"frame {index + 1} of {clip.layout.frames}: {event.detail}")
    origin = replace(clip.origin, path=printable(path), frame_index=index)
    return Picture(pixels, None if clip.times is None else clip.times[index], clip.regions, origin)
