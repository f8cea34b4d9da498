"""Finds cameras, frame grabbers, Edge TPUs and GPUs, and whether this process may open them. Nothing is opened for it.

/dev/video*                       a camera or grabber; one device often has several nodes, the first gives pictures
/dev/apex_*                       Coral on PCIe or M.2; PCI id 1ac1:089a
USB 1a6e:089a, 18d1:9302          Coral on USB, before and after it was given its firmware
/dev/dri/renderD*                 a GPU, for Vulkan and the like
/dev/nvmap, /dev/nvhost-gpu, …    a Jetson's GPU
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_CAMERA = re.compile(r"^(bcm2835-(codec|isp)|rpi-?vid|rpi-?hevc|pispbe)", re.IGNORECASE)
"""Names of a Raspberry Pi's decoders and converters, which have device nodes like cameras."""
CORAL_USB = {("1a6e", "089a"): "Coral USB (not used yet)", ("18d1", "9302"): "Coral USB"}
"""USB (vendor id, product id) of a Coral Edge TPU, and its name for people."""
CORAL_PCI = ("0x1ac1", "0x089a")
"""PCI (vendor id, device id) of a Coral Edge TPU."""
JETSON_GPU = ("dev/nvmap", "dev/nvhost-gpu", "dev/nvhost-ctrl-gpu", "dev/nvgpu/igpu0/ctrl")
"""Device nodes of a Jetson's GPU; which of them there are depends on the JetPack."""
LIBRARIES = ("usr/lib", "usr/lib/aarch64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/local/lib", "lib")
"""Where a distribution's packages put shared libraries."""


class DeviceNode(msgspec.Struct, frozen=True, kw_only=True):
    """One camera, Edge TPU or GPU, and whether this process may use it."""

    kind: Literal["camera", "edge-tpu", "gpu"]
    name: str
    """What people call it."""
    path: str | None
    """Path of its device node. None: the hardware is there, but no driver made a node for it."""
    usable: bool
    """Whether this process may read and write the node, or all nodes where it has several."""
    group: str | None = None
    """Group whose members may open the node, as far as the node says. None: the group has no name."""


def can_read_write(path: Path) -> bool:
    """Whether this process has permission to read and write ``path``."""
    return os.access(path, os.R_OK | os.W_OK)


def cameras(root: Path = Path("/"), accessible: Callable[[Path], bool] = can_read_write) -> list[DeviceNode]:
    """Cameras and frame grabbers that the kernel knows (Video4Linux). ``accessible``: whether a node may be opened."""
    return [
        _node("camera", _text(_class_of(root, path) / "name") or path.name, path, root, accessible)
        for path in sorted(root.glob("dev/video*"))
        if _gives_pictures(_class_of(root, path))
    ]


def accelerators(root: Path = Path("/"), accessible: Callable[[Path], bool] = can_read_write) -> list[DeviceNode]:
    """Edge TPUs (Coral) and GPUs of this machine. ``accessible``: whether a node may be opened."""
    return [*_corals(root, accessible), *_gpus(root, accessible)]


def find_library(name: str, root: Path = Path("/")) -> str | None:
    """Path of a shared library that a package installed, None: there is none. It is not loaded."""
    places = [root / folder / name for folder in LIBRARIES]
    return next((str(path) for path in places if path.exists()), None)


def _corals(root: Path, accessible: Callable[[Path], bool]) -> Iterator[DeviceNode]:
    for device in sorted(root.glob("sys/bus/usb/devices/*")):
        name = CORAL_USB.get((_text(device / "idVendor"), _text(device / "idProduct")))
        bus, number = _text(device / "busnum"), _text(device / "devnum")
        if name is not None and bus.isdigit() and number.isdigit():
            path = root / f"dev/bus/usb/{int(bus):03d}/{int(number):03d}"
            yield _node("edge-tpu", name, path, root, accessible)
    found = sorted(root.glob("dev/apex_*"))
    for path in found:
        yield _node("edge-tpu", "Coral PCIe", path, root, accessible)
    on_the_bus = [
        device
        for device in root.glob("sys/bus/pci/devices/*")
        if (_text(device / "vendor"), _text(device / "device")) == CORAL_PCI
    ]
    for _ in on_the_bus[len(found) :]:
        yield DeviceNode(kind="edge-tpu", name="Coral PCIe", path=None, usable=False)


def _gpus(root: Path, accessible: Callable[[Path], bool]) -> Iterator[DeviceNode]:
    for path in sorted(root.glob("dev/dri/renderD*")):
        driver = re.search(r"^DRIVER=(\S+)", _text(root / "sys/class/drm" / path.name / "device/uevent"), re.MULTILINE)
        yield _node("gpu", f"GPU {driver[1]}" if driver else "GPU", path, root, accessible)
    jetson = [root / name for name in JETSON_GPU if (root / name).exists()]
    if jetson:
        barred = [path for path in jetson if not accessible(path)]
        node = _node("gpu", "GPU of a Jetson", (barred or jetson)[0], root, accessible)
        yield msgspec.structs.replace(node, usable=not barred)


def _node(
    kind: Literal["camera", "edge-tpu", "gpu"], name: str, path: Path, root: Path, accessible: Callable[[Path], bool]
) -> DeviceNode:
    try:
        group = path.group()
    except (OSError, KeyError):  # a group without a name
        group = None
    return DeviceNode(kind=kind, name=name, path=f"/{path.relative_to(root)}", usable=accessible(path), group=group)


def _class_of(root: Path, path: Path) -> Path:
    return root / "sys/class/video4linux" / path.name


def _gives_pictures(described: Path) -> bool:
    """Other nodes of a camera (descriptions of frames) have an index above 0."""
    return _text(described / "index") in ("", "0") and not NO_CAMERA.match(_text(described / "name"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""
