"""Where a DICOM picture came from: the machine and the body part, nothing of the patient."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from edge.contracts.frames import Equipment, FrameOrigin
from edge.dicom.header import text_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@suppress_pydicom_warnings()
def read_frame_origin(elements: Dataset, path: str) -> FrameOrigin:
    """All that a finding may say of where it was seen; what the file does not say is None."""
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


def _side(said: str | None) -> Literal["L", "R"] | None:
    """``U`` (unpaired) and ``B`` (both) are no side."""
    return "L" if said == "L" else "R" if said == "R" else None
