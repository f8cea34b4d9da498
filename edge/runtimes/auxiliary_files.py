"""Auxiliary files of a runtime: what it loads beside the bundle, and what could change what is computed.

An ONNX file, a delegate's library, the plugins of an NPU's vendor. Each may be pinned in the runtime's URI by its
SHA-256; then it is read once, and what was hashed is what is loaded. Where models must be signed, `pin_files` puts the
hash there of each file that a trusted key signed, and refuses all others.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError, ModelError, UsageError
from edge.models.signature import check_signature, signature_path
from edge.process.sealed_file import SealedFile, read_once, seal_bytes
from edge.runtimes.options_without_files import expect_no_files

if TYPE_CHECKING:
    from edge.config.uri import Uri
    from edge.models.signature import SignaturePolicy

MAX_FILE = 256 * 2**20
"""Most bytes of one file."""
NPU_PLUGINS = {"dispatch": "libLiteRtDispatch_*.so", "compiler": "libLiteRtCompilerPlugin_*.so"}
"""Parameter of ``litert-npu://`` -> the library in the folder that it names."""
PINS = {
    "litert": {"delegate": "delegate_sha256"},
    "tflite-runtime": {"delegate": "delegate_sha256"},
    "onnx": {"model": "sha256"},
    "litert-npu": {kind: f"{kind}_sha256" for kind in NPU_PLUGINS},
}
"""Scheme of a runtime -> its parameters that name a file, each with the parameter that pins the file."""


@dataclass(frozen=True, slots=True)
class AuxiliaryFile:
    """A file that a runtime loads beside the bundle."""

    path: Path
    pin: str
    """Parameter of the URI that holds its SHA-256."""


class MissingFileError(DeviceError):
    """An auxiliary file is not there (yet): no matter of trust, so another runtime may take over."""


def auxiliary_files(uri: Uri, model: Path | None) -> list[AuxiliaryFile]:
    """Auxiliary files that the runtime of ``uri`` will load; ``model``: the bundle, beside which an ONNX file may lie.

    Raises:
        UsageError: a delegate is named without its folder, so that nobody knows which file the linker takes.
        ModelError: a plugins' folder holds several.
        MissingFileError: a plugins' folder holds none.
    """
    found = []
    for name, pin in PINS.get(uri.scheme, {}).items():
        value = uri.params.get(name, "")
        if uri.scheme == "onnx" and not value and model is not None:
            value = str(model.with_suffix(".onnx"))
        if not value:
            continue
        if name == "delegate" and "/" not in value:
            raise UsageError(
                f"delegate={value}: a file whose bytes are to be checked needs its full path",
                hint=f"for example {uri.scheme}://?delegate=/usr/lib/{value}",
            )
        path = plugin_library(Path(value), name) if name in NPU_PLUGINS else Path(value)
        found.append(AuxiliaryFile(path, pin))
    return found


def plugin_library(folder: Path, kind: str) -> Path:
    """The one library of an NPU's plugin in ``folder``. Raises as `auxiliary_files`."""
    libraries = sorted(folder.glob(NPU_PLUGINS[kind]))
    if not libraries:
        raise MissingFileError(f"no NPU plugin: {folder} has no {NPU_PLUGINS[kind]}", hint="name its folder")
    if len(libraries) > 1:
        raise ModelError(f"{folder} has {len(libraries)} of {NPU_PLUGINS[kind]}", hint="leave the one that is meant")
    return libraries[0]


def pin_files(text: str, model: Path | None, policy: SignaturePolicy) -> str:
    """Pin the auxiliary files of the runtime URI ``text``, where ``policy`` requires signatures: the URI with hashes.

    Raises:
        ModelError: a file has neither a trusted signature nor a pinned hash, or cannot have one.
        UsageError: as `auxiliary_files`; the runtime computes nothing.
        MissingFileError: a file is not there.
    """
    if not policy.required:
        return text
    uri = parse_uri(text, "runtimes")
    if uri.scheme == "scripted":
        raise UsageError("require_signed_model is set, but scripted:// computes no model", hint="name another runtime")
    pins = PINS.get(uri.scheme, {})
    expect_no_files(uri, {*pins, *pins.values()})
    for file in auxiliary_files(uri, model):
        if file.pin not in uri.params:
            digest = _verified_sha256(file, policy)
            text += f"{'&' if '?' in text else '?'}{file.pin}={digest}"
    return text


def read_pinned(path: Path, sha256: str, pin: str) -> SealedFile:
    """Read an auxiliary file once, into sealed memory.

    Args:
        path: of the file.
        sha256: the hash that it must have, hex.
        pin: the parameter that says so, for messages.

    Raises:
        ModelError: its hash is another one.
        UsageError: ``sha256`` is no hash.
        MissingFileError, DeviceError: it is not there, or cannot be read.
    """
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UsageError(f"{pin}={sha256[:80]} is no SHA-256", hint=f"64 hex digits, as sha256sum {path} prints them")
    file = _read_sealed(path)
    if file.sha256 != sha256.lower():
        raise ModelError(
            f"{path} is not the file that was pinned: {pin}={sha256[:16].lower()}…, this one has {file.sha256[:16]}…",
            hint="put the right file back, or name the hash of the new one (or sign it) and restart",
        )
    return file


def loaded_library(path: Path, sha256: str, pin: str) -> SealedFile:
    """Read a pinned shared library, which is going to be loaded. Arguments and errors as `read_pinned`.

    It stays in memory until the process ends: the linker knows a library by its path, and must never find another one
    behind ``/proc/self/fd/N``.
    """
    file = read_pinned(path, sha256, pin)
    return _libraries.setdefault(file.sha256, file)


_libraries: dict[str, SealedFile] = {}
"""By SHA-256, the libraries that this process has loaded."""


def _verified_sha256(file: AuxiliaryFile, policy: SignaturePolicy) -> str:
    """SHA-256 of a file that a trusted key signed. Raises as `pin_files`."""
    sha256 = _read_sealed(file.path).sha256
    if not signature_path(file.path).exists():
        raise ModelError(
            f"{file.path} is loaded beside the model and not signed: this device takes signed models alone",
            hint=f"python -m export sign {file.path} --key KEY.pem, or pin it in the URI: {file.pin}={sha256}",
        )
    check_signature(file.path, sha256, policy)
    return sha256


def _read_sealed(path: Path) -> SealedFile:
    try:
        return seal_bytes(read_once(path, MAX_FILE), path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"{path} does not exist", hint="check the path in the runtime's URI") from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise ModelError(f"{path} is over {MAX_FILE // 2**20} MB", hint="check the path") from error
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise DeviceError(f"{path} cannot be read: {reason}", hint="check the path and its permissions") from error
