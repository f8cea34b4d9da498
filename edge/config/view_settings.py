"""Settings of the view: the page that shows the person at the device what is found, while it happens."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.config.section import SettingsSection

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that only this machine reaches."""


class ViewSettings(SettingsSection, frozen=True):
    """View: the page with picture and result. Needs the extra ``viewer``; see docs/viewer.md."""

    enabled: bool = False
    """True: the daemon has a viewer process, which serves the page. ``--view`` sets it."""
    host: str = "127.0.0.1"
    """Address to serve on. Any other than this machine's own needs ``token_file``, ``cert_file`` and ``key_file``:
    ``edge-cli view init`` makes them."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8321
    """TCP port to serve on. 0: any that is free."""
    names: list[str] = []
    """Further host names under which browsers reach the page (``cart-7.clinic.example``); all others are refused."""
    token_file: str | None = None
    """File whose first line is the token that a browser must know. None: none is asked for, on this machine only."""
    cert_file: str | None = None
    """PEM of the page's certificate. None: no TLS, on this machine only."""
    key_file: str | None = None
    """PEM of the certificate's key."""
    clients: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    """Most browsers that watch at once."""
    quality: Annotated[int, msgspec.Meta(ge=30, le=100)] = 85
    """Quality of the pictures on the page, of JPEG."""

    @property
    def local(self) -> bool:
        """Whether only this machine reaches the page."""
        return self.host in LOOPBACK
