"""Checks of cameras and accelerators: are they there, may we use them, and does each camera give pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.device.cameras_and_accelerators import accelerators, cameras, find_library
from edge.doctor.check import absent, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.device.cameras_and_accelerators import DeviceNode
    from edge.doctor.check import Check

CAMERAS = "cameras"
ACCELERATORS = "accelerators"
EDGE_TPU_LIBRARY = "libedgetpu.so.1"
RULES = "or copy firmware_configs/udev/*.rules to /etc/udev/rules.d"


def check_devices(root: Path = Path("/")) -> Iterator[Check]:
    """Check all cameras and accelerators. ``root``: of the file tree that is read; cameras are opened in ours only."""
    found = cameras(root)
    if not found:
        yield absent(CAMERAS, "camera", "none: pictures come from files, DICOM or the network")
    for camera in found:
        yield _check_camera(camera) if root == Path("/") else _check_node(CAMERAS, camera)
    helpers = accelerators(root)
    if not helpers:
        yield absent(ACCELERATORS, "accelerator", "none: the processor computes")
    for helper in helpers:
        yield _check_node(ACCELERATORS, helper)
    if any(helper.kind == "edge-tpu" for helper in helpers):
        yield _check_edge_tpu_library(root)


def _check_camera(camera: DeviceNode) -> Check:
    if camera.path is None or not camera.usable:
        return _check_node(CAMERAS, camera)
    from edge.doctor.camera_probe import probe_camera  # NumPy only where there is a camera

    return probe_camera(CAMERAS, camera.name, camera.path)


def _check_node(group: str, node: DeviceNode) -> Check:
    if node.path is None:
        return warning(
            group, node.name, "on the bus, but no driver serves it", "install the gasket-dkms package, then reboot"
        )
    if not node.usable:
        who = node.group if node.group not in (None, "root") else {"camera": "video", "gpu": "render"}.get(node.kind)
        member = f"sudo usermod -aG {who} $USER and log in anew, {RULES}" if who else RULES.removeprefix("or ")
        return warning(group, node.name, f"{node.path}: no permission to use it", member)
    return ok(group, node.name, node.path)


def _check_edge_tpu_library(root: Path) -> Check:
    found = find_library(EDGE_TPU_LIBRARY, root)
    if found is None:
        return warning(
            ACCELERATORS,
            EDGE_TPU_LIBRARY,
            "not installed: Coral is of no use",
            "install the package libedgetpu1-std",
        )
    return ok(ACCELERATORS, EDGE_TPU_LIBRARY, found)
