"""Size of the pictures of one connection: a change in mid-stream is a loss, since a calibration is for one size."""

from __future__ import annotations

from edge.sources.live.network_errors import lost


class PictureSize:
    """Size of the pictures of one connection, known from the first on."""

    def __init__(self) -> None:
        self.known: tuple[int, int] | None = None
        """(width, height) in pixels; None: no picture came yet."""

    def check(self, width: int, height: int) -> None:
        """Note the size of a picture. Raises `SourceError` if those before had another."""
        if self.known is not None and self.known != (width, height):
            raise lost(f"its pictures changed from {self.known[0]} x {self.known[1]} to {width} x {height}")
        self.known = (width, height)
