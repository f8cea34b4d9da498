"""A lock that is held alone or together."""

from __future__ import annotations

import threading

import pytest

from edge.process.rwlock import RWLock


def in_thread(action) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def test_several_are_in_together():
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


def test_nobody_is_in_beside_who_is_alone():
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


def test_who_wants_to_be_alone_is_not_kept_out_by_others_who_take_turns():
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


def test_who_is_alone_comes_in_again():
    lock = RWLock()
    with lock.exclusive(), lock.exclusive(), lock.shared():
        pass
    done = threading.Event()

    def visit():
        with lock.exclusive():
            done.set()

    in_thread(visit)
    assert done.wait(120), "it was not let go of"


@pytest.mark.parametrize("way", ["exclusive", "shared"])
def test_it_is_let_go_of_after_an_exception(way):
    lock = RWLock()
    with pytest.raises(KeyError), getattr(lock, way)():
        raise KeyError
    done = threading.Event()

    def visit():
        with lock.exclusive():
            done.set()

    in_thread(visit)
    assert done.wait(120)
