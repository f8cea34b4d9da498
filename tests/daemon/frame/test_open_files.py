"""Open files written down: a file that kills twice is left out, what was judged before a crash is not judged again."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass

import pytest

from edge.contracts.errors import SourceError
from edge.daemon.frame import open_files, poison_files
from edge.daemon.frame.open_files import OpenFiles
from edge.daemon.frame.poison_files import PoisonFiles


@dataclass
class Origin:
    clip: int


@dataclass
class FakeFrame:
    stream: str
    origin: Origin


class Process:
    """A frame process that reads one-frame files, as far as `OpenFiles` sees it."""

    def __init__(self, state, run_id="run-1", streams=("a",)):
        self.files = OpenFiles(state, run_id, streams)
        self.stored = threading.Event()
        self.stored.set()
        self.files.follow(lambda: self.stored)
        self.progress = {name: self.files.progress(name) for name in streams}

    def begin(self, path, clip, stream="a", *, decoding=True):
        self.progress[stream].begin(path, clip, clip + 1)
        self.progress[stream].decoding(decoding)

    def judge(self, path, clip, stream="a"):
        self.begin(path, clip, stream)
        self.progress[stream].decoding(False)
        self.progress[stream].given()
        self.progress[stream].end()
        self.files.offer(FakeFrame(stream, Origin(clip)), None)
        self.files.each_turn()

    def die(self):
        os.close(self.files._fd)


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / f"{number}.png" for number in range(5)]
    for path in found:
        path.write_bytes(b"x")
    return found


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def test_a_file_that_was_open_when_the_process_died_twice_is_poison(state, paths):
    for _ in range(2):
        process = Process(state)
        process.begin(paths[2], 2)
        process.die()
    for run_id in ("run-1", "run-2"):  # and stays so
        process = Process(state, run_id)
        with pytest.raises(SourceError, match=r"file number 3: the process died 2 times") as caught:
            process.begin(paths[2], 2)
        assert caught.value.reason == "poison"
        assert caught.value.hint
        process.judge(paths[3], 3)
        process.files.close()
    paths[2].write_bytes(b"xyz")
    Process(state).begin(paths[2], 2)  # it changed


def test_what_was_judged_before_a_crash_is_not_judged_again_in_the_same_run(state, paths):
    process = Process(state)
    for clip in (0, 1):
        process.judge(paths[clip], clip)
    process.begin(paths[2], 2)
    process.die()
    process = Process(state)
    assert process.progress["a"].left_out(paths) == 2
    assert process.progress["a"].left_out(paths) == 0, "opened anew, it begins anew"
    process.begin(paths[2], 2)
    process.die()
    assert Process(state).progress["a"].left_out(paths) == 2, "known through a second crash"


def test_another_run_a_clean_end_and_a_lost_file_begin_anew(state, paths):
    process = Process(state)
    process.judge(paths[0], 0)
    process.die()
    assert Process(state, "run-2").progress["a"].left_out(paths) == 0
    process = Process(state)
    process.judge(paths[0], 0)
    process.files.close()
    assert not (state / "reading").exists()
    assert Process(state).progress["a"].left_out(paths) == 0
    process = Process(state, "run-3")
    process.judge(paths[0], 0)
    process.die()
    assert Process(state, "run-3").progress["a"].left_out(paths[1:]) == 0


def test_only_what_is_on_disk_counts_as_judged(state, paths):
    process = Process(state)
    process.stored.clear()
    process.judge(paths[0], 0)
    process.die()
    assert Process(state).progress["a"].left_out(paths) == 0


def test_being_asked_to_stop_or_a_power_cut_is_no_death(state, paths, monkeypatch):
    for _ in range(3):
        process = Process(state)
        process.begin(paths[0], 0)
        process.files.stopping()
        process.die()
    for boot in ("one", "two", "three"):
        monkeypatch.setattr(open_files, "boot_id", lambda boot=boot: boot)
        process = Process(state)
        process.begin(paths[0], 0)
        process.die()
    Process(state).begin(paths[0], 0)


@pytest.mark.parametrize("ends_itself", [True, False])
def test_an_end_by_the_watchdog_while_a_file_makes_the_loop_wait_is_a_death(state, paths, ends_itself, monkeypatch):
    monkeypatch.setattr(open_files, "TURN_S", 0.0)  # the loop stands still
    for _ in range(2):
        process = Process(state)
        process.judge(paths[0], 0)
        process.begin(paths[1], 1)
        process.files.watchdog_ends()
        process.files.stopping()  # too late to be asked
        process.progress["a"].decoding(False)  # so is the end of what took so long
        process.files.each_turn()
        if ends_itself:
            process.files.close()
        else:
            process.die()
    process = Process(state)
    assert process.progress["a"].left_out(paths) == 1
    with pytest.raises(SourceError, match=r"file number 2: the process died 2 times"):
        process.begin(paths[1], 1)


def test_an_end_by_the_watchdog_while_the_loop_goes_round_is_no_files_fault(state, paths):
    for turns in (0, 1, 1, 1):
        process = Process(state)
        process.judge(paths[0], 0) if turns else None
        process.begin(paths[1], 1)
        process.files.watchdog_ends()  # a camera or the disk hangs
        process.files.close()
    process = Process(state)
    assert process.progress["a"].left_out(paths) == 1, "what was judged is not judged again all the same"
    process.begin(paths[1], 1)


def test_a_file_read_to_its_end_is_no_suspect_any_more(state, paths):
    for _ in range(4):
        process = Process(state)
        process.begin(paths[0], 0)
        process.die()
        process = Process(state)
        process.judge(paths[0], 0)
        process.files.close()
    assert json.loads((state / "poison.json").read_bytes()) == {}


def test_a_file_open_beside_the_one_that_kills_is_spared(state, paths):
    for _ in range(2):
        process = Process(state, streams=("a", "b"))
        process.begin(paths[0], 0, "a", decoding=False)
        process.begin(paths[1], 0, "b")
        process.die()
    process = Process(state, streams=("a", "b"))
    process.begin(paths[0], 0, "a")
    with pytest.raises(SourceError, match="died 2 times"):
        process.begin(paths[1], 0, "b")


def test_a_suspect_is_read_alone(state, paths, monkeypatch):
    process = Process(state)
    process.begin(paths[0], 0)
    process.files.end("a")
    process.begin(paths[1], 1)
    process.die()
    process = Process(state)
    process.begin(paths[0], 0)
    process.progress["a"].given()
    process.progress["a"].decoding(False)
    waiting = threading.Thread(target=process.begin, args=(paths[1], 1))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    process.files.offer(FakeFrame("a", Origin(0)), None)
    process.files.each_turn()
    waiting.join(4.0)
    assert not waiting.is_alive()
    monkeypatch.setattr(open_files, "ALONE_S", 0.01)
    process.begin(paths[0], 2)  # nor does it wait for ever


def test_the_record_names_no_file(state, tmp_path):
    path = tmp_path / "Mustermann^Erika.dcm"
    path.write_bytes(b"x")
    for _ in range(2):
        process = Process(state)
        process.begin(path, 0)
        process.die()
    Process(state)
    for file in state.iterdir():
        assert b"Mustermann" not in file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600


def test_records_that_are_broken_are_ignored(state, paths):
    for data in (b"", b"r", b"r" * 64, b"r" + bytes(63) + b"{", bytes(200)):
        (state / "reading").write_bytes(data)
        (state / "poison.json").write_bytes(data)
        process = Process(state)
        process.judge(paths[0], 0)
        process.files.close()


def test_poison_files_are_bounded(state, monkeypatch):
    monkeypatch.setattr(poison_files, "MOST", 10)
    poison = PoisonFiles(state)
    for number in range(30):
        poison.count_death(str(number), True)
        poison.count_death(str(number), True)
    poison.save()
    again = PoisonFiles(state)
    assert [number for number in range(30) if again.is_poison(str(number))] == list(range(20, 30))
