"""Proof that a camera gives pictures: opens it as a daemon would, takes some frames, and says what they are."""

from __future__ import annotations

from edge.config.settings import StreamSettings
from edge.config.uri import Uri
from edge.contracts.errors import EdgeError
from edge.doctor.check import Check, ok, warning
from edge.doctor.live_frames import describe_stream, take_frames
from edge.sources.live.camera import CameraSource

IN_USE = "in use by another program"


def probe_camera(group: str, name: str, path: str) -> Check:
    """Check one camera that we may open. Its driver runs in a child process, which is ended if it hangs."""
    source = CameraSource(Uri("camera", path=path), StreamSettings(name="doctor", source=f"camera://{path}"))
    try:
        source.open()
        frames, trouble = take_frames(source)
    except EdgeError as error:
        if IN_USE in error.message:  # by the daemon itself, most often
            return ok(group, name, f"{path}: {IN_USE}, so no picture was taken")
        return warning(group, name, f"{path}: {error.message}", error.hint or "plug it in again")
    finally:
        source.close()
    if not frames or source.info is None:
        return warning(group, name, f"{path}: opens, but {trouble or 'gives no picture'}", "plug it in again")
    return ok(group, name, f"{path}: {describe_stream(source.info, frames)}")
