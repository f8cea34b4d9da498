"""Model of a disk with a volatile cache: what a power cut may keep, and what it must."""

from __future__ import annotations

import random
import stat

import pytest
from faults.forgetful_store import MODES, PAGE, ROOT, SECTOR, Resize, Store, Write

FILE = stat.S_IFREG | 0o600


def with_file(content=b"", *, name="a"):
    """A store with one durable file, and its node."""
    store = Store()
    number = store.create_node(FILE, directory=False)
    store.apply_names([(ROOT, name, number)])
    store.nodes[number].change(Write(0, content))
    store.sync_all()
    return store, store.nodes[number]


def after(store, mode="vanish", seed=0):
    """Contents by name in the root directory after a power cut."""
    store.cut_power(mode, random.Random(seed))
    return {name: bytes(store.nodes[number].content) for name, number in store.nodes[ROOT].names.items()}


@pytest.mark.parametrize("mode", MODES)
def test_what_was_synced_outlives_a_cut(mode):
    store, node = with_file(b"old")
    node.change(Write(1, b"ew" * PAGE))
    node.change(Resize(PAGE + 7))
    node.sync()
    expected = bytes(node.content)
    assert after(store, mode) == {"a": expected}


def test_what_was_not_synced_can_be_gone():
    store, node = with_file(b"old")
    node.change(Write(0, b"new"))
    node.change(Resize(1))
    assert bytes(node.content) == b"n"
    assert after(store) == {"a": b"old"}


def test_a_synced_file_is_gone_unless_its_directory_was_synced():
    store, node = Store(), None
    number = store.create_node(FILE, directory=False)
    store.apply_names([(ROOT, "a", number)])
    node = store.nodes[number]
    node.change(Write(0, b"x"))
    node.sync()
    assert after(store) == {}


def test_a_file_that_was_not_synced_is_empty_where_its_directory_was():
    store = Store()
    number = store.create_node(FILE, directory=False)
    store.apply_names([(ROOT, "a", number)])
    store.nodes[number].change(Write(0, b"x"))
    store.sync_directory(ROOT)
    assert after(store) == {"a": b""}


def test_a_deleted_file_comes_back():
    store, _ = with_file(b"old")
    store.apply_names([(ROOT, "a", None)])
    assert after(store) == {"a": b"old"}


@pytest.mark.parametrize("seed", range(30))
def test_a_rename_is_whole_or_not_at_all(seed):
    store, node = with_file(b"x")
    store.apply_names([(ROOT, "a", None), (ROOT, "b", node.number)])
    assert after(store, "pages", seed) in ({"a": b"x"}, {"b": b"x"})


def test_a_rename_between_directories_is_kept_with_either():
    store, node = with_file(b"x")
    folder = store.create_node(stat.S_IFDIR | 0o700, directory=True)
    store.apply_names([(ROOT, "d", folder)])
    store.apply_names([(ROOT, "a", None), (folder, "b", node.number)])
    store.sync_directory(folder)
    store.cut_power("vanish", random.Random(0))
    assert store.nodes[ROOT].names == {"d": folder}
    assert store.nodes[folder].names == {"b": node.number}


def test_pages_survive_in_any_order_and_each_whole():
    seen = set()
    for seed in range(200):
        store, node = with_file(bytes(2 * PAGE))
        node.change(Write(0, b"\1" * PAGE))
        node.change(Write(PAGE, b"\2" * PAGE))
        node.change(Write(0, b"\3" * PAGE))
        content = after(store, "pages", seed)["a"]
        first, second = content[:PAGE], content[PAGE:]
        assert first in (bytes(PAGE), b"\1" * PAGE, b"\3" * PAGE)
        assert second in (bytes(PAGE), b"\2" * PAGE)
        seen.add((first[0], second[0]))
    assert seen == {(first, second) for first in (0, 1, 3) for second in (0, 2)}


def test_torn_writes_are_torn_between_sectors():
    seen = set()
    for seed in range(200):
        store, node = with_file(bytes(PAGE))
        node.change(Write(100, b"\1" * (PAGE - 200)))
        content = after(store, "torn", seed)["a"]
        written = [place for place in range(PAGE) if content[place]]
        if written and len(written) < PAGE - 200:
            edges = (written[0], written[-1] + 1)
            assert edges[0] == 100 or edges[0] % SECTOR == 0
            assert edges[1] == PAGE - 100 or edges[1] % SECTOR == 0
            seen.add(edges)
    assert len(seen) > 5


def test_a_disk_is_the_same_after_it_was_put_away(tmp_path):
    store, node = with_file(b"x", name="a")
    node.change(Write(0, b"y"))
    store.save(tmp_path / "platter")
    again = Store.load(tmp_path / "platter")
    assert again.next_number == store.next_number
    assert after(again) == {"a": b"x"}
    again.export_files(tmp_path / "plain")
    assert (tmp_path / "plain" / "a").read_bytes() == b"x"
