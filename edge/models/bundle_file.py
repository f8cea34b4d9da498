"""Container format of a bundle: a TFLite flatbuffer with a ZIP appended, as in the TFLite metadata format.

Sizes and names are checked before anything is trusted. Members are stored, not compressed: the format's other readers
(MediaPipe among them) take nothing else, and what is not compressed cannot be a bomb.
"""

from __future__ import annotations

import errno
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from edge.contracts.errors import DeviceError, ModelError
from edge.models.graph import DamagedGraphError, check_whole, is_flatbuffer
from edge.models.zip_directory import open_zip
from edge.process.sealed_file import SealedFile, read_once, seal_bytes

MAX_BUNDLE = 64 * 2**20
"""Largest file that is read, in bytes."""
MAX_MEMBERS = 16
"""Most members of a ZIP that are listed at all, so that those that are too many can be named."""
BUNDLE_LIMITS = {"labels.txt": 2**16, "manifest.json": 2**20, "golden.npz": 16 * 2**20, "MODEL_CARD.md": 2**20}
"""The members that a bundle must have, and the most bytes of each."""
OPTIONAL_LIMITS = {"clip.tflite": 2**20}
"""The members that a bundle may have and that are read, and the most bytes of each: `edge.models.clip_model`."""
OTHER_OPTIONAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,55}\.tflite")
OTHER_OPTIONAL_LIMIT = 2**20
"""Name and most bytes of any other member that it may have, of a later version: it is passed over."""

CLASSIFIER_JSON = "classifier.json"
CLASSIFIER_LIMITS = {"labels.txt": 2**16, CLASSIFIER_JSON: 2**20}
"""The same of a plain classifier, which may have no others: see `edge.models.classifier`."""

EXPORT = "make a bundle with: python -m export bundle runs/<id> --out model.tflite"
ADOPT = "edge-cli model adopt FILE --out own.sono.tflite makes a bundle of it"
COPY = "copy the file again, or export it anew"


@dataclass(frozen=True, slots=True)
class BundleParts:
    """Parts of a bundle file: the flatbuffer, and the members of the ZIP."""

    data: bytes
    """The whole file."""
    graph_size: int
    """Bytes of the flatbuffer: all before the ZIP."""
    members: dict[str, bytes]
    """By name, exactly the names that were asked for."""
    optional: dict[str, bytes] = field(default_factory=dict)
    """Optional members by name, also those that are not known here."""

    @property
    def graph(self) -> bytes:
        """Bytes of the flatbuffer, copied."""
        return self.data[: self.graph_size]

    @property
    def graph_view(self) -> memoryview:
        """Bytes of the flatbuffer, not copied."""
        return memoryview(self.data)[: self.graph_size]


def seal_model(path: str | Path) -> SealedFile:
    """Read a model's file once, into memory that cannot be changed; nothing of it is parsed. As it is if it is sealed.

    Raises:
        ModelError: it cannot be read, or is larger than any bundle.
        DeviceError: the system has no sealed memory.
    """
    if isinstance(path, SealedFile):
        return path
    path = Path(path)
    data = read_model_file(path)
    try:
        return seal_bytes(data, path)
    except OSError as error:
        raise DeviceError(
            f"model {path} cannot be kept in sealed memory: {error.strerror}",
            hint="memfd_create must be allowed, and memory free: see docs/runtimes.md",
        ) from error


def read_model_file(path: Path) -> bytes:
    """Read the whole file. Raises `ModelError` if it cannot be read or is larger than any bundle."""
    try:
        return read_once(path, MAX_BUNDLE)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _path_error(path, "does not exist") from error
    except IsADirectoryError as error:
        raise _path_error(path, "is a folder") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise ModelError(
                f"model {path} is over {MAX_BUNDLE // 2**20} MB",
                hint="a bundle for edge devices is a few MB: check the path",
            ) from error
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise ModelError(f"model {path} cannot be read: {reason}", hint="check the path and its permissions") from error


def _path_error(path: Path, what: str) -> ModelError:
    return ModelError(f"model {path} {what}", hint="give the path of a .tflite bundle, or leave --model out")


def split_bundle(data: bytes, limits: dict[str, int] = BUNDLE_LIMITS, *, optional: bool = True) -> BundleParts:
    """Split a bundle into flatbuffer and members.

    Raises `ModelError` unless it has the members of ``limits``, and beside them at most the ``optional`` ones.
    """
    if not is_flatbuffer(data):
        raise ModelError(
            f"not a TFLite flatbuffer: expected 'TFL3' at byte 4, got {data[4:8]!r} in {len(data)} bytes", hint=EXPORT
        )
    if data[-22:-18] != b"PK\x05\x06":  # its end must be the file's: golden.npz is a ZIP too
        raise _missing_zip_error(data)
    try:
        with open_zip(data, MAX_MEMBERS, "the appended ZIP") as archive:
            infos = archive.infolist()
            _check_members(infos, limits, optional)
            start = min(info.header_offset for info in infos)
            members = {info.filename: archive.read(info) for info in infos}
    except ModelError:
        raise
    except Exception as error:  # zipfile raises half a dozen kinds for damaged input, some of them undocumented
        raise ModelError(f"the appended ZIP is damaged: {error}", hint=COPY) from error
    others = {name: members.pop(name) for name in list(members) if name not in limits}
    return BundleParts(data, start, members, others)


def member_names(data: bytes) -> set[str]:
    """Names of the members of the appended ZIP; empty where there is no whole one."""
    try:
        with open_zip(data, MAX_MEMBERS, "the appended ZIP") as archive:
            return set(archive.namelist())
    except Exception:  # as in split_bundle: damaged input raises half a dozen kinds
        return set()


def _check_members(infos: list[zipfile.ZipInfo], limits: dict[str, int], optional: bool) -> None:
    names = [info.filename for info in infos]
    if CLASSIFIER_JSON in names and CLASSIFIER_JSON not in limits:
        raise ModelError(
            "a plain classifier: without lesion mask, anatomy gate and golden vectors no device can judge by it",
            hint=f"{ADOPT}; or make one anew with python -m export bundle",
        )
    allowed = {name: most for name in names if optional and (most := _optional_limit(name))} | limits
    missing = sorted(set(limits) - set(names))
    # zipfile cuts a name at a NUL, and other readers do not.
    extra = sorted({info.orig_filename for info in infos} - set(allowed))
    if missing or extra or len(set(names)) < len(names):
        wrong = [f"{', '.join(missing)} missing"] if missing else []
        wrong += [f"{', '.join(repr(name[:64]) for name in extra[:4])} not known"] if extra else []
        raise ModelError(
            f"the appended ZIP is no bundle's: {'; '.join(wrong) or 'a member stands there twice'}", hint=EXPORT
        )
    for info in infos:
        if info.file_size > allowed[info.filename]:
            raise ModelError(
                f"{info.filename} has {info.file_size} bytes, expected at most {allowed[info.filename]}", hint=EXPORT
            )
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise ModelError(f"{info.filename} is compressed, expected it stored", hint=EXPORT)


def _optional_limit(name: str) -> int:
    """Most bytes of an optional member of a bundle; 0: a bundle has none of this name."""
    other = OTHER_OPTIONAL_LIMIT if OTHER_OPTIONAL.fullmatch(name) else 0
    return OPTIONAL_LIMITS.get(name, other)


def _missing_zip_error(data: bytes) -> ModelError:
    """The error for a truncated file, or for one that was never a bundle: the two need different hints."""
    try:
        check_whole(data)
    except DamagedGraphError:
        return ModelError(f"the file is truncated or damaged: {len(data)} bytes, no end of a bundle", hint=COPY)
    except ModelError:
        pass  # larger than any model here, which says nothing of its being whole
    if b"PK\x03\x04" in data:
        return ModelError(f"the file is truncated: {len(data)} bytes, no end of a bundle", hint=COPY)
    return ModelError(
        "a bare .tflite, whole, but no bundle: it has no manifest, so nothing says what its outputs mean",
        hint=f"of a classifier or segmentation network, {ADOPT}; else {EXPORT}",
    )
