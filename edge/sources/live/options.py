"""Options that all live streams have: delays and time limits from the URI, credentials from the URI or the settings."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from edge.contracts.errors import SourceError, UsageError
from edge.sources.live.reader import LiveOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri

log = logging.getLogger(__name__)

COMMON = ("delay_ms", "open_timeout_s", "first_frame_s", "silence_s")
"""Parameters of the URI that all live streams know."""


def live_options(uri: Uri, stream: StreamSettings, parameters: Sequence[str] = ()) -> LiveOptions:
    """Options of one stream; ``parameters``: those of the URI that are ours, and not the server's.

    Raises `UsageError` for values that are none, `SourceError` for a password file that cannot be read.
    """
    username = uri.username if stream.username is None else stream.username
    password = _password(stream.password_file) if stream.password_file else uri.password
    if uri.password:
        log.warning(
            "stream %s: the password stands in its URI, which the process list or the file shows; set username and "
            "password_file of the stream instead",
            stream.name,
        )
    return LiveOptions(
        location=location(stream.source, (*COMMON, *parameters)),
        username=username,
        password=password,
        delay_ms=uri.get("delay_ms", _not_negative, 0.0),
        open_timeout_s=uri.get("open_timeout_s", _positive, 5.0),
        first_frame_s=uri.get("first_frame_s", _positive, 5.0),
        silence_s=uri.get("silence_s", _positive, 0.9) if "silence_s" in uri.params else None,
    )


def location(source: str, ours: Sequence[str]) -> str:
    """The URI for the server, byte for byte as it was written, but without credentials and our own parameters."""
    scheme, _, rest = source.partition("://")
    place, mark, query = rest.partition("?")
    host, slash, path = place.partition("/")
    kept = "&".join(part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in ours)
    return f"{scheme.lower()}://{host.rpartition('@')[2]}{slash}{path}{mark if kept else ''}{kept}"


def refuse_misspelt(uri: Uri, ours: Sequence[str]) -> None:
    """Raise `UsageError` for a parameter that is nearly one of ours. All others are the server's."""
    for key in uri.params:
        near = [] if key in ours else get_close_matches(key.lower().replace("-", "_"), ours, n=1, cutoff=0.8)
        if near:
            raise UsageError(f"{uri.scheme}:// does not know the parameter {key!r}", hint=f"did you mean {near[0]}?")


def yes_or_no(text: str) -> bool:
    """Value of a parameter that is ``yes`` or ``no``; ValueError for anything else."""
    if text not in ("yes", "no"):
        raise ValueError
    return text == "yes"


def _password(path: str) -> str:
    hint = "its first line is the password"
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError as error:
        raise SourceError(f"the password file {path} cannot be read: {error.strerror}", hint=hint) from None
    except UnicodeDecodeError:
        raise SourceError(f"the password file {path} cannot be read: it is not UTF-8", hint=hint) from None
    if not lines or not lines[0]:
        raise SourceError(f"the password file {path} is empty", hint=hint)
    return lines[0]


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < 60_000:
        raise ValueError
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number <= 600:
        raise ValueError
    return number
