"""Messages to the page: a JSON header and pictures in one binary WebSocket message.

Four bytes with the header's length (big-endian), the header, then the pictures in the order in which it names their
lengths.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from edge.picture.shapes import shapes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.region import Region
    from edge.tap.messages import SeenFrame
    from edge.viewer.device_view import DeviceView
    from edge.viewer.history import KeptFrame
    from edge.viewer.stream_view import StreamView


def pack(header: dict[str, Any], pictures: Sequence[bytes] = ()) -> bytes:
    """Put a message together; the lengths of the pictures are added to its header."""
    head = msgspec.json.encode({**header, "pictures": [len(each) for each in pictures]})
    return b"".join((len(head).to_bytes(4, "big"), head, *pictures))


def live_message(device: DeviceView, chosen: StreamView, *, with_picture: bool = True) -> bytes:
    """Message with the newest frame of the chosen stream, and small pictures of all others.

    ``with_picture`` False: of the chosen stream the state alone; the page has its newest frame, or shows none.
    """
    kept = chosen.shown() if with_picture else None
    others = [stream for stream in device.streams.values() if stream is not chosen]
    pictures = [] if kept is None or kept.jpeg is None else [kept.jpeg]
    beside = []
    for stream in others:
        thumb = stream.thumb()
        if thumb is not None:
            pictures.append(thumb)
        beside.append({**stream_state(device, stream), "picture": thumb is not None})
    header = {
        "kind": "live" if with_picture else "state",
        "device": device_state(device),
        "stream": stream_state(device, chosen),
        "frame": None if kept is None else frame_header(kept),
        "others": beside,
    }
    return pack(header, pictures)


def frozen_message(kept: KeptFrame, seqs: Sequence[int]) -> bytes:
    """Message with a frame of the history. ``seqs``: numbers of all frames in it, the oldest first."""
    header = {"kind": "frozen", "frame": frame_header(kept), "seqs": seqs}
    return pack(header, [] if kept.jpeg is None else [kept.jpeg])


def device_state(device: DeviceView) -> dict[str, Any]:
    """State of the device, for the page's header and warnings."""
    report = device.report
    return {
        "name": device.job.device,
        "site": device.job.site,
        "down": device.down,
        "starting": device.starting,
        "reasons": device.reasons(),
        "has_sinks": device.job.has_sinks,
        "has_maps": device.maps is not None,
        "model": None if report is None else msgspec.to_builtins(report.model),
        "version": "" if report is None else report.version,
    }


def stream_state(device: DeviceView, stream: StreamView) -> dict[str, Any]:
    """State of one stream: what its source gave instead of a frame, and the status of its newest frame."""
    note = None if stream.frame is None else stream.frame.note
    event, report = stream.event, stream.report
    return {
        "name": stream.name,
        "number": stream.number,
        "exam": stream.exam_id,
        "stopped": report is not None and report.stopped,
        "event": None if event is None else {"kind": event.kind, "reason": event.reason},
        "lost": report is not None and report.lost,
        "status": None if note is None else note.status.value,
        "reason": None if note is None or note.reason is None else note.reason.value,
        "age_ms": None if note is None else age_ms(note),
    }


def frame_header(kept: KeptFrame) -> dict[str, Any]:
    """What the page is told of one frame: place, result, shapes over it."""
    note = kept.note
    shapes = []
    if note.box is not None:
        shapes = shapes_of(
            note.lesions, note.region, note.box, suspicious=note.suspicious, uncertain=note.call_uncertain
        )
    return {
        "stream": note.stream,
        "seq": note.seq,
        "exam": note.exam_id,
        "age_ms": age_ms(note),
        "captured_ms": note.captured_ns / 1e6,
        "size": note.size,
        "box": note.box if kept.jpeg is not None else None,
        "shapes": msgspec.to_builtins(shapes),
        "status": note.status.value,
        "reason": None if note.reason is None else note.reason.value,
        "malignancy": note.malignancy,
        "suspicious": note.suspicious,
        "uncertain": note.call_uncertain,
        "lesions": [
            {
                "score": lesion.score,
                "long_mm": lesion.long_axis_mm,
                "short_mm": lesion.short_axis_mm,
                "area_mm2": lesion.area_mm2,
                "error_mm": lesion.mm_uncertainty,
                "descriptors": lesion.descriptors,
                "place": place_words(lesion.centre, note.box),
                "id": note.track_ids[place] if place < len(note.track_ids) else None,
            }
            for place, lesion in enumerate(note.lesions)
        ],
        "scores": msgspec.to_builtins(note.scores),
        "given": [
            {"name": name, "id": note.track_ids[place] if place < len(note.track_ids) else None}
            for place, name in enumerate(note.given)
        ],
        "calibration": calibration(note.region),
        "runtime": None if note.runtime is None else msgspec.to_builtins(note.runtime),
        "latency_ms": round(note.latency_ms, 1),
    }


def age_ms(note: SeenFrame) -> float:
    """Age of a frame, from its capture until now, in milliseconds."""
    return round((time.monotonic_ns() - note.captured_ns) / 1e6, 1)


def calibration(region: Region | None) -> dict[str, Any] | None:
    """Calibration of a judged frame, and who says so; None: there is none."""
    if region is None or region.mm_x is None or region.mm_y is None:
        return None
    return {"mm_x": region.mm_x, "mm_y": region.mm_y, "source": region.source}


def place_words(centre: tuple[float, float], box: tuple[int, int, int, int] | None) -> list[str]:
    """Place of a lesion in the picture as two keys of the page's texts: which third of its height, and of its width."""
    if box is None:
        return []
    across, down = (centre[0] - box[0]) / box[2], (centre[1] - box[1]) / box[3]
    rows, columns = ("upper", "middle", "lower"), ("left", "centre", "right")
    return [rows[min(2, max(0, int(down * 3)))], columns[min(2, max(0, int(across * 3)))]]
