"""Parses the URIs of sources, runtimes and sinks: ``scheme://host:port/path?key=value``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from edge.config.uri_suggestions import is_host, is_missing_file, suggestion
from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Uri:
    """A parsed URI of a plugin. ``params`` are the query's; each plugin says which it knows, see `Uri.expect`."""

    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""
    """Percent-decoded. ``images:///a/b`` has ``/a/b``; ``images://a/b`` (no third slash) means the relative ``a/b``."""
    username: str | None = None
    password: str | None = None
    params: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """File path: host and path together, since two slashes mean a relative path in file schemes."""
        return self.host + self.path

    def expect(self, *known: str) -> None:
        """Raise `UsageError` if there is a parameter not among ``known``."""
        for key in self.params:
            if key not in known:
                raise UsageError(
                    f"{self.scheme}:// does not know the parameter {key!r}",
                    hint=f"it knows: {', '.join(known) or 'none'}",
                )

    def get(self, key: str, convert: Callable[[str], T], default: T) -> T:
        """Value of the parameter ``key``, by ``convert``, or ``default``. `UsageError` if it does not convert."""
        text = self.params.get(key)
        if text is None:
            return default
        try:
            return convert(text)
        except ValueError:
            raise UsageError(
                f"{self.scheme}://: {key}={text!r} is not valid", hint=f"for example {key}={_as_written(default)}"
            ) from None

    def redacted(self) -> str:
        """The URI for logs and topics: without credentials, host paths and file names."""
        port = "" if self.port is None else f":{self.port}"
        if self.scheme in NAME_SCHEMES:
            return f"{self.scheme}://{self.path if _PLAIN_NAME.fullmatch(self.path) else '…'}"
        if self.path and self.scheme in FILE_SCHEMES:
            return f"{self.scheme}:///…"
        return f"{self.scheme}://{self.host}{port}"


def _as_written(value: object) -> str:
    """A parameter's value as it is written in a URI: a size is ``1920x1080``, and a choice ``yes``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


EXAMPLES = {
    "": "write scheme://…, for example phantom://?seed=1 or mqtt://localhost:1883",
    "sources": "write scheme://…, for example video:///path/clip.mp4, images:///folder or phantom://?seed=1",
    "runtimes": "write scheme://…, for example litert://?threads=2 or auto://",
    "sinks": "write scheme://…, for example mqtt://localhost:1883 or jsonl:///path/findings.jsonl",
}
"""Hint for what is no URI, by what it was to name."""
FILE_SCHEMES = frozenset({"images", "video", "dicom", "jsonl", "replay"})
NAME_SCHEMES = frozenset({"camera", "gst", "rpicam"})
"""Schemes behind which a device's name or a pipeline stands, which may hold what a host name may not."""
_PLAIN_NAME = re.compile(r"\d{0,3}")
"""What of those may be told: a camera's number. A name may hold a serial number, a pipeline a password."""
_DEVICE_PATH = re.compile(r"/dev/(?:video|v4l/)[^?]*")


def parse_uri(text: str, kind: str = "") -> Uri:
    """Parse a plugin's URI; raises `UsageError` if ``text`` is none of the form above.

    ``kind``: what it is to name (``sources``, ``runtimes``, ``sinks``), for a hint that fits; empty: not known. The
    path of a video device is a source as it is.
    """
    if kind in ("", "sources") and _DEVICE_PATH.match(text):
        text = f"camera://{text}"
    scheme, sep, rest = text.partition("://")
    if not sep or not scheme.replace("-", "").isalnum():
        missing = kind == "sources" and is_missing_file(text)
        if missing:
            raise UsageError(
                f"there is no file {text!r} (and it is not a URI)", hint=f"correct the path; {EXAMPLES[kind]}"
            )
        raise UsageError(f"{_shown(text)!r} is not a URI", hint=_hint(kind, text))
    scheme = scheme.lower()
    path, _, query = rest.partition("?")
    params = dict(parse_qsl(query, keep_blank_values=True))
    if scheme in FILE_SCHEMES | NAME_SCHEMES:  # a file name may hold what a host name may not
        # A name may have any bytes: what is not UTF-8 is kept as Python keeps it in paths.
        return Uri(scheme, path=unquote(path, errors="surrogateescape"), params=params)
    try:
        parts = urlsplit(f"//{path}")
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{_shown(text)!r}: {error}", hint="the port is a number from 1 to 65535") from None
    return Uri(
        scheme,
        host=parts.hostname or "",
        port=port,
        path=unquote(parts.path),
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        params=params,
    )


def what_it_is(text: str, kind: str) -> str:
    """What was given instead of a URI, as an error may say it: nothing that could be a password is repeated."""
    scheme, sep, _ = text.partition("://")
    if sep and scheme.replace("-", "").isalnum():
        return f"{scheme}://… with a host or a port that is not valid"
    if sep:
        return f"{scheme}://…" if scheme.isprintable() and "@" not in scheme and ":" not in scheme else "something else"
    if kind == "sources" and is_missing_file(text):
        return f"{text!r}, and there is no such file"
    return "something else" if "@" in text or (":" in text and not is_host(text)) else repr(text)


def _hint(kind: str, text: str) -> str:
    """Hint for what is no URI: what was probably meant, else how one is written."""
    meant = suggestion(kind, text) if kind else ""
    return f"{meant} (all are written scheme://…)" if meant else EXAMPLES[kind]


def _shown(text: str) -> str:
    """``text`` as an error may repeat it: without what stands before an @, which may be a password."""
    head, at, tail = text.rpartition("@")
    scheme, sep, _ = head.partition("://")
    return f"{scheme + sep if sep else ''}…@{tail}" if at else text
