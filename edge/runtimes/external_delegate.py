"""External TFLite delegates: a shared library that computes a part of the graph on hardware of its own.

``litert://?delegate=libedgetpu.so.1&opt.device=usb``: Edge TPU, Arm NN, QNN, VX; whatever has the two functions of
TFLite's external delegate interface. What goes wrong with one is reported in a line, before the interpreter sees it.
"""

from __future__ import annotations

import ctypes
import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.contracts.errors import DeviceError, UsageError
from edge.runtimes.auxiliary_files import auxiliary_files, loaded_library
from edge.runtimes.model_loading import first_line
from edge.runtimes.options_without_files import OPTION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.config.uri import Uri
    from edge.process.sealed_file import SealedFile

PIN = "delegate_sha256"
"""Parameter that pins the library by its SHA-256."""
SYMBOLS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
NODES = {"edgetpu": ("apex_*",), "vx": ("galcore",), "armnn": ("mali*",)}
"""Device nodes below /dev that a delegate opens, by its name. (A Coral on USB has none with a name that is known.)"""


def delegate_options(uri: Uri) -> dict[str, str]:
    """The delegate's own options of a runtime URI. Raises `UsageError` where they are given without a delegate."""
    options = {key.removeprefix(OPTION): value for key, value in uri.params.items() if key.startswith(OPTION)}
    if options and not uri.params.get("delegate"):
        raise UsageError(
            f"{uri.scheme}:// has options of a delegate, and no delegate",
            hint=f"for example {uri.scheme}://?delegate=libedgetpu.so.1&opt.device=usb",
        )
    return options


def delegate_name(library: str) -> str:
    """Delegate's name in findings and ``state``, from its library: ``/usr/lib/libedgetpu.so.1`` is ``edgetpu``."""
    plain = Path(library).name.partition(".")[0].removeprefix("lib").lower()
    return re.sub("_?(tflite)?_?delegate$", "", plain) or "delegate"


def pinned_library(uri: Uri) -> SealedFile | None:
    """The delegate's library of a runtime URI that pins it by its hash, in sealed memory; None: it is not pinned.

    The library's own folder (``$ORIGIN``) is unknown to it then: what it needs must be where the linker looks.

    Raises as `edge.runtimes.auxiliary_files.read_pinned`.
    """
    if PIN not in uri.params:
        return None
    files = auxiliary_files(uri, None)
    if not files:
        raise UsageError(f"{uri.scheme}:// pins a delegate, and names none", hint="delegate=/full/path&" + PIN + "=…")
    return loaded_library(files[0].path, uri.params[PIN], PIN)


def load_delegate(
    make: Callable[[str, dict[str, str]], Any],
    library: str,
    options: Mapping[str, str],
    dev: str = "/dev",
    file: SealedFile | None = None,
) -> Any:
    """Load an external delegate, ready for the interpreter.

    Args:
        make: the interpreter package's ``load_delegate``.
        library: path, or a name that the dynamic linker finds.
        options: the delegate's own options.
        dev: where device nodes are.
        file: the library's bytes, where it is pinned; then nothing else is loaded.

    Raises:
        DeviceError: the library is missing, does not load, is no delegate, or finds no device that it may use.
    """
    name = delegate_name(library)
    place = library if file is None else str(file)
    if "/" in place and not os.path.exists(place):  # Path's raises in a folder that is closed to us
        raise DeviceError(
            f"the delegate {library} does not exist", hint="give its full path, or its name if the linker finds it"
        )
    try:
        symbols = ctypes.CDLL(place)
    except OSError as error:
        raise DeviceError(
            f"the delegate {name} cannot be loaded: {first_line(error)}",
            hint="install it for this machine (64 bits, this C library), with what it needs: ldd shows what is missing"
            + "; a pinned one does not look in its own folder" * (file is not None),
        ) from error
    for symbol in SYMBOLS:
        if not hasattr(symbols, symbol):
            raise DeviceError(
                f"{library} is not a TFLite delegate: it has no {symbol}",
                hint="an external delegate is needed, for example libedgetpu.so.1",
            )
    inaccessible = inaccessible_nodes(name, dev)
    try:
        return make(place, dict(options))
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split("\n")[1:]).strip()
        if inaccessible:
            reason = f"no permission on {', '.join(inaccessible)}"
        raise DeviceError(
            f"the delegate {name} does not start: {reason or 'it found no device, or may not open it'}",
            hint="is the device plugged in, its driver loaded, and this user in the group that owns its node in /dev?",
        ) from error


def inaccessible_nodes(name: str, dev: str = "/dev") -> list[str]:
    """Device nodes in ``dev`` of the delegate called ``name`` that exist, but that this user may not open."""
    found = [node for pattern in NODES.get(name, ()) for node in sorted(glob.glob(f"{dev}/{pattern}"))]
    return [node for node in found if not os.access(node, os.R_OK | os.W_OK, effective_ids=True)]
