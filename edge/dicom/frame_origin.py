"""Origin of a DICOM frame: scanner, body part, side and UIDs, nothing of the patient."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from edge.contracts.frames import Equipment, FrameOrigin
from edge.dicom.element_values import text_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@suppress_pydicom_warnings()
def read_frame_origin(elements: Dataset, path: str) -> FrameOrigin:
    """Read the origin of a file's frames: all that a finding may say of where it was seen. Not in the file: None.

    Of the Study Instance UID only a hash is kept.
    """
    body_part, study = text_value(elements, "BodyPartExamined"), text_value(elements, "StudyInstanceUID")
    return FrameOrigin(
        path=path,
        sop_instance_uid=text_value(elements, "SOPInstanceUID"),
        study=None if study is None else hashlib.sha256(study.encode()).hexdigest()[:16],
        body_part=None if body_part is None else body_part.upper(),
        laterality=_side(text_value(elements, "ImageLaterality")) or _side(text_value(elements, "Laterality")),
        equipment=Equipment(
            manufacturer=text_value(elements, "Manufacturer"),
            model=text_value(elements, "ManufacturerModelName"),
            probe=text_value(elements, "TransducerData") or text_value(elements, "TransducerType"),
        ),
    )


def _side(laterality: str | None) -> Literal["L", "R"] | None:
    """``U`` (unpaired) and ``B`` (both) are no side."""
    return "L" if laterality == "L" else "R" if laterality == "R" else None
