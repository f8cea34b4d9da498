"""Readers-writer lock: shared and exclusive, writers first."""

from __future__ import annotations

import threading

import pytest

from edge.process.rwlock import RWLock


def in_thread(action) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def test_several_readers_hold_the_lock_together():
    lock, met = RWLock(), threading.Barrier(4, timeout=120)

    def visit():
        with lock.shared():
            met.wait()

    threads = [in_thread(visit) for _ in range(3)]
    with lock.shared():
        met.wait()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


def test_nobody_holds_the_lock_beside_a_writer():
    lock, alone_now, seen = RWLock(), [], []

    def shared():
        for _ in range(200):
            with lock.shared():
                seen.append(not alone_now)

    def exclusive():
        for number in range(100):
            with lock.exclusive():
                alone_now.append(number)
                seen.append(len(alone_now) == 1)
                alone_now.pop()

    threads = [in_thread(action) for action in (shared, shared, exclusive, exclusive)]
    for thread in threads:
        thread.join(120)
    assert len(seen) == 600
    assert all(seen)


def test_readers_that_take_turns_do_not_keep_a_writer_out():
    lock, stop = RWLock(), threading.Event()

    def visit():
        while not stop.is_set():
            with lock.shared():
                stop.wait(0.001)

    threads = [in_thread(visit) for _ in range(4)]
    for _ in range(20):
        with lock.exclusive():
            pass
    stop.set()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


def test_a_writer_may_take_the_lock_again():
    lock = RWLock()
    with lock.exclusive(), lock.exclusive(), lock.shared():
        pass
    done = threading.Event()

    def visit():
        with lock.exclusive():
            done.set()

    in_thread(visit)
    assert done.wait(120), "it was not released"


@pytest.mark.parametrize("way", ["exclusive", "shared"])
def test_the_lock_is_released_after_an_exception(way):
    lock = RWLock()
    with pytest.raises(KeyError), getattr(lock, way)():
        raise KeyError
    done = threading.Event()

    def visit():
        with lock.exclusive():
            done.set()

    in_thread(visit)
    assert done.wait(120)
