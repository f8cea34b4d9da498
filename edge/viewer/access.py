"""Access to the page: which hosts, origins and browsers are answered, and with which security headers."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.config.view_settings import ViewSettings

COOKIE = "sonoedge-view"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer."""
WRONG_TOKENS = 5
"""So many wrong tokens within `WRONG_S`, and none is looked at for as long."""
WRONG_S = 10.0


class Access:
    """Decides about each request. A name that is not ours is refused, so that no foreign page gets in by DNS."""

    def __init__(self, view: ViewSettings) -> None:
        """Read the token, if one is configured."""
        self._local = view.local
        self._names = {name.lower() for name in view.names} | {"localhost"}
        self._tls = view.cert_file is not None
        self._token = b""
        if view.token_file is not None:
            self._token = Path(view.token_file).read_bytes().split(b"\n")[0].strip()
        self._wrong: list[float] = []

    @property
    def secure(self) -> bool:
        """Whether the page is served by TLS."""
        return self._tls

    def host_allowed(self, host: str) -> bool:
        """Whether a Host header is one of ours: an address, ``localhost``, or a name of the settings."""
        name = _without_port(host).lower()
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback if self._local else True  # a foreign page comes by a name, never by an address

    def origin_allowed(self, headers: Mapping[str, str], *, required: bool) -> bool:
        """Whether a request comes from our own page. ``required``: it has to say so (WebSocket, POST)."""
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return not required
        return origin == f"{'https' if self._tls else 'http'}://{headers.get('host', '')}"

    def known(self, cookies: Mapping[str, str]) -> bool:
        """Whether the browser has shown the token before, or none is asked for."""
        return not self._token or hmac.compare_digest(cookies.get(COOKIE, "").encode(), self.cookie().encode())

    def cookie(self) -> str:
        """Value of the cookie that a browser gets for the token; holds until there is another token."""
        return hmac.new(self._token, b"sonoedge-view/1", hashlib.sha256).hexdigest()

    def token_right(self, token: str) -> bool:
        """Whether the token is right; after some wrong ones in a row, none is for a while."""
        now = time.monotonic()
        self._wrong = [at for at in self._wrong if now - at < WRONG_S]
        if len(self._wrong) >= WRONG_TOKENS:
            return False
        if self._token and hmac.compare_digest(token.encode(), self._token):
            return True
        self._wrong.append(now)
        return False


def _without_port(host: str) -> str:
    """Name or address of a Host header."""
    if host.startswith("["):
        return host[1:].split("]")[0]
    return host.rsplit(":", 1)[0] if host.count(":") == 1 else host
