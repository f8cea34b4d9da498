"""The real daemon as a user runs it: processes, a real broker, an outside subscriber."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from brokers import wait_until

from edge.process.usage import process_tree


def children_of(pid: int) -> list[int]:
    """Process ids of all descendants of ``pid``, from the kernel."""
    return process_tree(pid)[1:]


def module_of(pid: int) -> str:
    """Module that ``python -m`` runs in the process; empty if it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return words[words.index(b"-m") + 1].decode() if b"-m" in words else ""


class StartedDaemon:
    def __init__(self, tmp_path, *flags, runtime="scripted://", source="phantom://?seed=1&fps=20"):
        command = [sys.executable, "-m", "edge.cli.main", "run", "--source", source, "--runtime", runtime]
        command += ["--site", "lab", "--device", "cart", "--state-dir", str(tmp_path / "state"), *flags]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)

    def child(self, module, other_than=0):
        def found():
            return [p for p in children_of(self.process.pid) if module_of(p) == module and p != other_than]

        return wait_until(found, 20)[0]

    def end(self, timeout_s=30):
        _, errors = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, errors

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def daemon(tmp_path):
    started = []

    def start(*flags, **options):
        started.append(StartedDaemon(tmp_path, *flags, **options))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.mark.broker
def test_a_finite_source_is_published_whole_and_the_daemon_publishes_offline(daemon, broker, subscriber):
    run = daemon("--sink", broker.uri, source="phantom://?seed=1&frames=30")
    code, errors = run.end()
    assert code == 0, errors
    states = [heard.json for heard in subscriber.on("lab/cart/state")]
    assert [s["status"] for s in states][-1] == "offline"
    online = [s for s in states if s["status"] == "online"]
    assert online
    assert online[0]["model"]["name"] == "scripted"
    findings = [heard.json for heard in subscriber.on("findings/phantom-1")]
    assert [f["lifecycle"] for f in findings][:1] == ["new"]
    assert findings[-1]["lifecycle"] == "end"
    coverage = [heard.json for heard in subscriber.on("coverage/phantom-1")]
    assert [(c["status"], c["reason"]) for c in coverage] == [
        ("no_result", "starting"),
        ("finding", None),
        ("no_result", "stream_ended"),
    ]
    assert coverage[-1]["previous"]["frames"] == 30
    durable = sorted(m["seq"] for m in findings + coverage)
    assert durable == list(range(1, len(durable) + 1))
    assert len({m["epoch"] for m in findings + coverage}) == 1
    assert states[-1]["outbox"]["next_seq"] == len(durable) + 1


@pytest.mark.broker
def test_kill_9_of_the_daemon_publishes_the_last_will_and_leaves_no_process(daemon, broker, subscriber):
    run = daemon("--sink", broker.uri)
    wait_until(lambda: subscriber.on("findings/phantom-1") and subscriber.on("cart/state"), 20)
    below = children_of(run.process.pid)
    assert {module_of(pid) for pid in below} == {
        "edge.daemon.frame.process",
        "edge.daemon.publisher.process",
        "edge.runtimes.isolated_child",
    }
    run.process.kill()
    will = wait_until(lambda: [h.json for h in subscriber.on("cart/state") if h.json["status"] == "offline"], 20)[0]
    assert will["reasons"] == ["connection_lost"]
    assert "at" not in will
    assert will["run_id"] == subscriber.on("cart/state")[0].json["run_id"]
    wait_until(lambda: not any(module_of(pid) for pid in below), 20)


@pytest.mark.broker
def test_each_child_that_is_killed_comes_back_and_findings_go_on(daemon, broker, subscriber):
    run = daemon("--sink", broker.uri, runtime="scripted://?distinct=1")
    for module in ("edge.runtimes.isolated_child", "edge.daemon.frame.process", "edge.daemon.publisher.process"):
        wait_until(lambda: subscriber.on("findings/phantom-1"), 20)
        victim = run.child(module)
        os.kill(victim, signal.SIGKILL)
        run.child(module, other_than=victim)
        before = len(subscriber.on("findings/phantom-1"))
        wait_until(lambda b=before: len(subscriber.on("findings/phantom-1")) > b + 5, 20)
    reasons = {heard.json["reason"] for heard in subscriber.on("coverage/phantom-1")}
    assert "runtime_lost" in reasons
    run.process.terminate()
    code, errors = run.end()
    assert code == 0, errors
    keys = [(h.json["epoch"], h.json["seq"]) for h in subscriber.heard if "epoch" in h.json and "seq" in h.json]
    seqs = sorted({seq for _, seq in keys})
    assert len({epoch for epoch, _ in keys}) == 1
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.slow
def test_sigterm_ends_it_cleanly_without_any_broker(daemon, tmp_path):
    out = tmp_path / "out.jsonl"
    run = daemon("--sink", f"jsonl://{out}")
    wait_until(lambda: out.exists() and b"/findings/" in out.read_bytes(), 20)
    run.process.send_signal(signal.SIGTERM)
    code, errors = run.end()
    assert code == 0, errors
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    last = [line["payload"] for line in lines if "/coverage/" in line["topic"]][-1]
    assert (last["status"], last["reason"]) == ("no_result", "stopped")
    ends = [line["payload"]["end_reason"] for line in lines if line["payload"].get("lifecycle") == "end"]
    assert ends[-1:] == ["stopped"]


@pytest.mark.slow
def test_a_second_daemon_on_the_same_state_dir_is_refused(daemon, tmp_path):
    out = tmp_path / "out.jsonl"
    daemon("--sink", f"jsonl://{out}")
    wait_until(out.exists, 20)
    code, errors = daemon().end()
    assert code == 5
    assert errors.splitlines()[-2].startswith("error: the state directory")
    assert errors.splitlines()[-1].startswith("hint: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "flags", "code", "words"),
    [
        ({"source": "images:///nowhere/at/all"}, [], 5, "nowhere"),
        ({"source": "nonsense://x"}, [], 2, "nonsense"),
        ({"runtime": "abacus://"}, [], 2, "abacus"),
        ({"runtime": "litert://"}, ["--model", "/nowhere.tflite"], 4, "nowhere"),
        ({}, ["--sink", "carrier-pigeon://loft"], 2, "carrier-pigeon"),
        ({}, ["--sink", "memory://x"], 2, "memory"),
        ({"source": "phantom://?frames=5"}, ["--sink", "jsonl:///dev/full"], 6, "/dev/full"),
        ({"source": "phantom://?nonsense=1"}, [], 2, "nonsense"),
        ({}, ["--sink", "mqtts://cart:secret@h?client_id=x&x=1"], 2, "x"),
        ({}, ["--config", "tls.toml"], 6, "the CA file /nowhere/ca.pem cannot be used"),
        ({}, ["--drain-timeout", "-1"], 3, "--drain-timeout:"),
        ({}, ["--config", "/nowhere.toml"], 3, "nowhere"),
        ({}, ["--device", "Not A Name"], 3, "device"),
    ],
)
def test_what_cannot_start_is_two_lines_and_an_exit_code(daemon, tmp_path, options, flags, code, words):
    (tmp_path / "tls.toml").write_text('[[sinks]]\nuri = "mqtts://broker:8883"\nca_file = "/nowhere/ca.pem"\n')
    got, errors = daemon(*flags, **options).end()
    assert got == code, errors
    assert "Traceback" not in errors
    two = [line for line in errors.splitlines() if line.startswith(("error: ", "hint: "))]
    assert len(two) == 2, errors
    assert words in two[0]


@pytest.mark.parametrize(
    ("options", "flags"),
    [({"source": "nonsense://x"}, []), ({"runtime": "abacus://"}, []), ({}, ["--sink", "pigeon://loft"])],
)
def test_unknown_schemes_are_said_before_anything_is_started(daemon, options, flags):
    _, errors = daemon(*flags, **options).end()
    assert [line.partition(":")[0] for line in errors.splitlines()] == ["error", "hint"]


@pytest.mark.broker
def test_the_real_model_measures_a_phantom_and_refuses_a_heart(daemon, broker, subscriber):
    import pydicom.data

    heart = pydicom.data.get_testdata_file("examples_ybr_color.dcm", download=False)
    code, errors = daemon("--sink", broker.uri, runtime="litert://", source="phantom://?seed=1&frames=20").end(60)
    assert code == 0, errors
    found = [h.json for h in subscriber.on("findings/phantom-1")]
    assert found
    assert found[0]["lesions"][0]["long_axis_mm"] > 1
    code, errors = daemon("--sink", broker.uri, runtime="litert://", source=f"dicom://{heart}").end(60)
    assert code == 0, errors
    assert subscriber.on("findings/dicom-1") == []
    told = {(h.json["status"], h.json["reason"]) for h in subscriber.on("coverage/dicom-1")}
    assert ("abstained", "wrong_anatomy") in told
    assert not {"finding", "clear"} & {status for status, _ in told}


@pytest.mark.slow
@pytest.mark.parametrize("bad", [True, False])
def test_files_that_were_not_all_judged_end_with_5_as_infer_does(daemon, tmp_path, bad):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((200, 200), 80, np.uint8))
    if bad:
        (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:-30])
    out = ("--sink", f"jsonl://{tmp_path / 'out.jsonl'}")
    code, errors = daemon(*out, source=f"images://{folder}").end()
    assert code == (5 if bad else 0), errors
    assert ("error: not everything was judged\nhint: the log says what got no result, and why" in errors) == bad
    assert ("without a result: 1 decode_error" in errors) == bad


@pytest.mark.slow
def test_what_got_no_result_before_the_frame_process_died_counts_too(daemon, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "0.png").write_bytes(b"no picture")
    for number in range(1, 200):
        noise = np.random.default_rng(number).integers(40, 220, (200, 200), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), noise)
    out = tmp_path / "out.jsonl"
    run = daemon("--sink", f"jsonl://{out}", source=f"images://{folder}", runtime="scripted://?distinct=1&delay_ms=20")
    wait_until(lambda: out.exists() and out.read_bytes().count(b"/findings/") > 40, 60)
    assert b"decode_error" in out.read_bytes()
    os.kill(run.child("edge.daemon.frame.process"), signal.SIGKILL)
    code, errors = run.end(100)
    assert "judged before the restart" in errors
    assert code == 5, errors


@pytest.mark.slow
def test_a_file_that_could_not_be_delivered_is_told_and_kept(daemon, tmp_path):
    unreachable = ("--sink", "mqtt://127.0.0.1:1", "--drain-timeout", "0.5")
    code, errors = daemon(*unreachable, source="phantom://?seed=1&frames=5").end()
    assert code == 6, errors
    told = [line for line in errors.splitlines() if line.startswith(("error: ", "hint: "))]
    assert len(told) == 2
    assert "unreachable" in told[0]
    out = tmp_path / "later.jsonl"
    code, errors = daemon("--sink", f"jsonl://{out}", source="phantom://?seed=1&frames=5").end()
    assert code == 0, errors
    payloads = [json.loads(line)["payload"] for line in out.read_text().splitlines()]
    late = [p["seq"] for p in payloads if p.get("replayed")]
    assert late[0] == 1  # what the first run found arrives with the second, and says that it is late


def cores_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Cpus_allowed_list"))


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="this machine gives us one core only")
def test_each_process_keeps_to_its_cores_and_missing_ones_are_one_warning(daemon, tmp_path):
    first, *_, last = sorted(os.sched_getaffinity(0))
    config = tmp_path / "edge.toml"
    config.write_text(f"[affinity]\nframe = [{first}]\nruntime = [{last}, 1001]\npublisher = [{first}, 1002]\n")
    run = daemon("--sink", f"jsonl://{tmp_path / 'out.jsonl'}", "--config", str(config))
    runtime = run.child("edge.runtimes.isolated_child")
    wait_until(lambda: cores_of(runtime) == str(last), 40)  # it keeps to them once it has been told
    wait_until(lambda: cores_of(run.child("edge.daemon.publisher.process")) == str(first), 40)
    assert cores_of(run.child("edge.daemon.frame.process")) == str(
        first
    )  # it has started the runtime, so it was told before
    run.process.terminate()
    code, errors = run.end()
    assert code == 0, errors
    warnings = [line for line in errors.splitlines() if "1001" in line or "1002" in line]
    assert len(warnings) == 1, errors
    assert "affinity asks for cores [1001, 1002]" in warnings[0]
