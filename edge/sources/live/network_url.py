"""URL and options of a network stream as FFmpeg wants them: name and password stand in the URL, it takes no others."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from edge.sources.live.options import yes_or_no

if TYPE_CHECKING:
    from edge.config.uri import Uri
    from edge.sources.live.reader import LiveOptions


def with_credentials(options: LiveOptions) -> str:
    """The stream's location with user name and password. Never to be shown, logged or put into an environment."""
    if options.username is None:
        return options.location
    password = "" if options.password is None else f":{quote(options.password, safe='')}"
    scheme, _, rest = options.location.partition("://")
    return f"{scheme}://{quote(options.username, safe='')}{password}@{rest}"


LOW_DELAY = {"fflags": "nobuffer", "flags": "low_delay", "analyzeduration": "100000"}
"""Options of FFmpeg by which the first frame comes at once, and no frame waits for others."""
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""Certificates of the authorities that the system trusts, on Debian; libraries in wheels do not find them."""


def receive_options(uri: Uri) -> dict[str, str]:
    """FFmpeg's options for receiving a stream."""
    options = dict(LOW_DELAY)
    if uri.scheme.startswith("rtsp"):
        options["rtsp_transport"] = uri.get("transport", str, "tcp")
        options["allowed_media_types"] = "video"
    if uri.scheme == "rtsps" and uri.get("verify", yes_or_no, True):
        options["tls_verify"] = "1"
        trusted = ssl.get_default_verify_paths().cafile or AUTHORITIES
        if Path(trusted).is_file():
            options["ca_file"] = trusted
    return options
