"""Report on one frame: PNG with its shapes, JSON with all that was said of it, or an HTML page that holds both.

It goes to the browser that asked for it, and is kept nowhere here.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import numpy as np

from edge.picture.html_page import data_uri, escape
from edge.picture.shapes import draw_shapes, shapes_of
from edge.viewer.page_message import device_state, frame_header
from edge.viewer.texts import texts

if TYPE_CHECKING:
    from edge.viewer.device_view import DeviceView
    from edge.viewer.history import KeptFrame

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:52rem;padding:0 1rem;color:#111;background:#fff}
img{max-width:100%;background:#000}table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #999;vertical-align:top}th{width:14rem}
.state{font-size:1.6rem;font-weight:700;border-left:.5rem solid #111;padding-left:.8rem}
@media print{body{margin:0;max-width:none}img{max-height:14cm}tr,figure{break-inside:avoid}}
"""


def report_json(device: DeviceView, kept: KeptFrame, language: str) -> bytes:
    """Report as JSON: what the page shows of the frame, and what computed it."""
    return msgspec.json.format(msgspec.json.encode(_content(device, kept)), indent=2) + b"\n"


def report_png(device: DeviceView, kept: KeptFrame, language: str) -> bytes:
    """Report as a picture with its shapes; a dark one where nothing may be shown."""
    note = kept.note
    if kept.jpeg is None or note.box is None:
        picture = np.zeros((64, 64, 3), np.uint8)
    else:
        picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(kept.jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        x, y, w, h = note.box
        if note.step > 1:
            picture = cv2.resize(picture, (w, h), interpolation=cv2.INTER_NEAREST)
        shapes = shapes_of(
            note.lesions, note.region, note.box, suspicious=note.suspicious, uncertain=note.call_uncertain
        )
        draw_shapes(picture, shapes, (x, y))
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError("a picture that cannot be written as PNG")
    return bytes(data)


def report_html(device: DeviceView, kept: KeptFrame, language: str) -> bytes:
    """Report as one HTML page for people, with a style for print; nothing is fetched from anywhere."""
    words, content = texts()[language], _content(device, kept)
    frame = content["frame"]
    rows = [(words[key], value) for key, value in _rows(content, words)]
    table = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows if value)
    picture = f'<figure><img src="{data_uri(report_png(device, kept, language), "image/png")}" alt=""></figure>'
    if kept.jpeg is None:
        picture = f"<p>{escape(words['no_picture'])}</p>"
    state = _state(frame, words)
    body = (
        f"<h1>{escape(words['report'])}</h1><p class=state>{escape(state)}</p>{picture}<table>{table}</table>"
        f"<p>{escape(words['research_only'])}</p>"
    )
    return (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        f"<title>{escape(words['report'])}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    ).encode()


REPORTS = {
    "png": (report_png, "image/png"),
    "json": (report_json, "application/json"),
    "html": (report_html, "text/html; charset=utf-8"),
}
"""Makers of a report, and its media type, by the suffix of the file."""


def _content(device: DeviceView, kept: KeptFrame) -> dict[str, Any]:
    state = device_state(device)
    return {
        "schema": "report/1",
        "at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "device": state["name"],
        "site": state["site"],
        "version": state["version"],
        "model": state["model"],
        "frame": frame_header(kept),
        "research_only": True,
    }


def _state(frame: dict[str, Any], words: dict[str, Any]) -> str:
    reason = frame["reason"]
    said = words["status"][frame["status"]]
    if frame["given"]:
        said = ", ".join(each["name"] for each in frame["given"])
    return said if reason is None else f"{said}: {words['reasons'][reason][0]}"


def _rows(content: dict[str, Any], words: dict[str, Any]) -> list[tuple[str, str]]:
    frame, model = content["frame"], content["model"] or {}
    rows = [("time", content["at"]), ("device", f"{content['site']}/{content['device']}"), ("exam", frame["exam"])]
    rows.append(("frame", f"{frame['stream']} {frame['seq']}"))
    if frame["malignancy"] is not None:
        call = words["uncertain"] if frame["uncertain"] else words["suspicious"] if frame["suspicious"] else ""
        rows.append(("malignancy", f"{frame['malignancy']:.2f} {call}"))
    for lesion in frame["lesions"]:
        size = words["no_calibration"]
        if lesion["long_mm"] is not None and lesion["short_mm"] is not None:
            size = f"{lesion['long_mm']:.1f} × {lesion['short_mm']:.1f} mm"
        rows.append(("lesion", f"{words['presence']} {lesion['score']:.2f}, {size}"))
    rows += [("label", f"{each['name']} {each['score']:.2f}") for each in frame["scores"]]
    ref, runtime = model.get("ref") or {}, frame["runtime"] or {}
    rows.append(("model", f"{ref.get('name', '')} {ref.get('version', '')} {ref.get('sha256', '')[:12]}"))
    if model.get("gate") == "none":
        rows.append(("gate", words["gate_none"]))
    rows.append(("runtime", f"{runtime.get('name', '')} {runtime.get('delegate') or ''}".strip()))
    return rows
