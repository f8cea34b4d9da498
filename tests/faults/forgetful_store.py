"""Model of a disk with a volatile cache: a power cut takes what was not synced.

The model is the worst that POSIX allows an honest disk, not what one file system happens to do:

- a file's bytes and length outlive a cut from its ``fsync`` or ``fdatasync`` on;
- a name (create, rename, unlink, mkdir) outlives it from the ``fsync`` of its directory on; that of the file is not
  enough; a rename is never half done;
- of what was not synced, `Store.cut_power` keeps as little or as much as chance will have it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from pathlib import Path

PAGE, SECTOR = 4096, 512
ROOT = 1
MODES = ("vanish", "pages", "torn")
"""Of what is unsynced: nothing is left; some pages are, each as at some moment; and some of these half written."""


@dataclass(frozen=True)
class Write:
    """A write of ``data`` at ``offset`` of a file."""

    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        """Write the data into ``content``."""
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data)] = self.data

    def by_page(self) -> list[tuple[int, Write]]:
        """The parts of this write as (page, part)."""
        parts, begin, end = [], self.offset, self.offset + len(self.data)
        while begin < end:
            page = begin // PAGE
            stop = min(end, (page + 1) * PAGE)
            parts.append((page, Write(begin, self.data[begin - self.offset : stop - self.offset])))
            begin = stop
        return parts

    def torn_at(self, place: int, head: bool) -> Write:
        """Half of a torn write: only what lies before ``place`` (``head``), or behind it."""
        middle = min(max(place - self.offset, 0), len(self.data))
        return Write(self.offset, self.data[:middle]) if head else Write(self.offset + middle, self.data[middle:])


@dataclass(frozen=True)
class Resize:
    """A change of a file's length to ``size``."""

    size: int

    def apply(self, content: bytearray) -> None:
        """Cut ``content`` to the size, or extend it by zeros."""
        del content[self.size :]
        content.extend(bytes(self.size - len(content)))


@dataclass
class Node:
    """A file or a directory. ``durable_content`` and ``durable_names`` are what outlives a power cut."""

    number: int
    mode: int
    content: bytearray = field(default_factory=bytearray)
    durable_content: bytearray = field(default_factory=bytearray)
    pending: list[Write | Resize] = field(default_factory=list)
    names: dict[str, int] | None = None
    """Of a directory; None: a file."""
    durable_names: dict[str, int] = field(default_factory=dict)

    def change(self, change: Write | Resize) -> None:
        """Apply a change to the cached content; not durable yet."""
        change.apply(self.content)
        self.pending.append(change)

    def sync(self) -> None:
        """Make all changes of the content durable (fsync)."""
        for change in self.pending:
            change.apply(self.durable_content)
        self.pending.clear()


NameStep = list[tuple[int, str, int | None]]
"""One step, whole or not at all: (directory, name, node or None: no more)."""


class Store:
    """The disk: files and directories by number; numbers are never given twice, not even after a cut."""

    def __init__(self) -> None:
        self.nodes = {ROOT: Node(ROOT, 0o700, names={})}
        self.next_number = ROOT + 1
        self.name_steps: list[NameStep] = []
        """Changes of names that are not synced yet, in their order."""

    def create_node(self, mode: int, directory: bool) -> int:
        """Create a file or directory without a name; its number."""
        number, self.next_number = self.next_number, self.next_number + 1
        self.nodes[number] = Node(number, mode, names={} if directory else None)
        return number

    def apply_names(self, step: NameStep) -> None:
        """Apply a change of names to the cache; not durable yet."""
        for directory, name, number in step:
            _set_name(self._names(directory), name, number)
        self.name_steps.append(step)

    def sync_directory(self, number: int) -> None:
        """Make all steps in this directory durable, and those elsewhere that they are bound to by a rename."""
        bound = {number}
        while True:
            more = {d for step in self.name_steps for d, _, _ in step if bound & {d for d, _, _ in step}} | bound
            if more == bound:
                break
            bound = more
        for step in self.name_steps:
            if bound & {directory for directory, _, _ in step}:
                self._make_durable(step)
        self.name_steps = [step for step in self.name_steps if not bound & {directory for directory, _, _ in step}]

    def sync_all(self) -> None:
        """Make all names and contents durable."""
        for step in self.name_steps:
            self._make_durable(step)
        self.name_steps.clear()
        for node in self.nodes.values():
            node.sync()

    def unsynced(self) -> int:
        """Number of changes that a power cut would put at risk."""
        return len(self.name_steps) + sum(len(node.pending) for node in list(self.nodes.values()))

    def cut_power(self, mode: str, chance: random.Random) -> None:
        """Cut the power: what is left is what was durable, and by ``mode`` some of the rest."""
        if mode != "vanish":
            self._names_that_survive(chance)
            for node in self.nodes.values():
                for change in _survivors(node.pending, chance, torn=mode == "torn"):
                    change.apply(node.durable_content)
        self.name_steps.clear()
        for node in self.nodes.values():
            node.pending.clear()
            node.content = bytearray(node.durable_content)
            if node.names is not None:
                node.names = dict(node.durable_names)
        reached, todo = {ROOT}, [ROOT]
        while todo:
            for number in (self.nodes[todo.pop()].names or {}).values():
                reached.add(number)
                todo.append(number)
        self.nodes = {number: node for number, node in self.nodes.items() if number in reached}

    def _names_that_survive(self, chance: random.Random) -> None:
        """In the order of a journal up to some step, or without order, as a disk without one may have it."""
        if chance.random() < 0.5:
            for step in self.name_steps[
                : chance.choice((0, len(self.name_steps), chance.randint(0, len(self.name_steps))))
            ]:
                self._make_durable(step)
            return
        lost: set[tuple[int, str]] = set()
        for step in self.name_steps:
            places = {(directory, name) for directory, name, _ in step}
            if places & lost or chance.random() < 0.5:  # what builds on what is lost is lost as well
                lost |= places
            else:
                self._make_durable(step)

    def _names(self, directory: int) -> dict[str, int]:
        names = self.nodes[directory].names
        assert names is not None
        return names

    def _make_durable(self, step: NameStep) -> None:
        for directory, name, number in step:
            _set_name(self.nodes[directory].durable_names, name, number)

    def save(self, folder: Path) -> None:
        """Write what is durable to ``folder``; the rest is not written down."""
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        index = {
            "next_number": self.next_number,
            "nodes": [[n.number, n.mode, None if n.names is None else n.durable_names] for n in self.nodes.values()],
        }
        for node in self.nodes.values():
            if node.names is None:
                (folder / str(node.number)).write_bytes(node.durable_content)
        (folder / "index.json").write_text(json.dumps(index))

    @classmethod
    def load(cls, folder: Path) -> Store:
        """Load a store from ``folder``, as `save` has written it; an empty one if there is none."""
        store = cls()
        if not (folder / "index.json").exists():
            return store
        index = json.loads((folder / "index.json").read_text())
        store.next_number = index["next_number"]
        store.nodes = {}
        for number, mode, names in index["nodes"]:
            content = (folder / str(number)).read_bytes() if names is None else b""
            node = Node(number, mode, bytearray(content), bytearray(content))
            node.names, node.durable_names = (None, {}) if names is None else (dict(names), dict(names))
            store.nodes[number] = node
        return store

    def export_files(self, folder: Path, number: int = ROOT) -> None:
        """Write what is durable as plain files, to be read by tests."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, child in self.nodes[number].durable_names.items():
            if self.nodes[child].names is None:
                (folder / name).write_bytes(self.nodes[child].durable_content)
            else:
                self.export_files(folder / name, child)


def _set_name(names: dict[str, int], name: str, number: int | None) -> None:
    if number is None:
        names.pop(name, None)
    else:
        names[name] = number


def _survivors(pending: list[Write | Resize], chance: random.Random, torn: bool) -> list[Write | Resize]:
    """Of each page what it was at some moment since the last sync: pages are written back in any order."""
    likely = chance.choice((0.0, 0.5, 1.0, chance.random()))
    kept: list[tuple[int, Write | Resize]] = []
    pages: dict[int, list[tuple[int, Write]]] = {}
    for index, change in enumerate(pending):
        if isinstance(change, Resize):
            if chance.random() < likely:
                kept.append((index, change))
        else:
            for page, part in change.by_page():
                pages.setdefault(page, []).append((index, part))
    for page, parts in pages.items():
        count = chance.randint(1, len(parts)) if chance.random() < likely else 0
        kept += parts[:count]
        if torn and count < len(parts) and chance.random() < 0.5:
            index, part = parts[count]
            place = page * PAGE + SECTOR * chance.randint(1, PAGE // SECTOR - 1)
            kept.append((index, part.torn_at(place, head=chance.random() < 0.5)))
    return [change for _, change in sorted(kept, key=lambda one: one[0])]
