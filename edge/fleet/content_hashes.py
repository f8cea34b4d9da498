"""Hashes of the newest messages of a device, by which a repeat is told from another message under the same number.

Four bytes a message, in pages of consecutive numbers; of each device the `PAGES` pages that were begun last are kept:
its newest 65,536 messages in at most 256 KiB. Not all are kept, because a ledger runs for months; and not only the last
few, because an outbox that was put back from a backup begins again hours before. The hash is Python's own of bytes
(SipHash with a key made at each start), so that nobody outside can make a second message of equal hash.
"""

from __future__ import annotations

from array import array

PAGE = 512
"""Sequence numbers of one page."""
PAGES = 128
"""Pages kept of one device."""
MASK = 0xFFFFFFFF


class ContentHashes:
    """Hashes of messages by epoch and sequence number, the newest ones only."""

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: dict[tuple[str, int], array[int]] = {}
        """(epoch, page number) -> hashes, 0 where none is; in the order in which the pages were begun."""

    def put(self, epoch: str, seq: int, content: bytes) -> None:
        """Keep the hash of a message's ``content``."""
        number, place = divmod(seq, PAGE)
        page = self._pages.get((epoch, number))
        if page is None:
            if len(self._pages) >= PAGES:
                del self._pages[next(iter(self._pages))]
            page = self._pages[epoch, number] = array("I", bytes(4 * PAGE))
        page[place] = _hash(content)

    def matches(self, epoch: str, seq: int, content: bytes) -> bool | None:
        """Whether ``content`` is that of the first message; None: its hash is not kept any more."""
        number, place = divmod(seq, PAGE)
        page = self._pages.get((epoch, number))
        kept = page[place] if page is not None else 0
        return None if kept == 0 else kept == _hash(content)


def _hash(content: bytes) -> int:
    return hash(content) & MASK or 1
