"""Report of the peers benchmark: writes docs/peers.md and docs/peers.svg from what was measured.

    python benchmarks/peers_report.py docs/peers.json --out docs

No figure of the page is written by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intervals import median, ratio
from peers_chart import chart
from peers_figures import MODES, NAMES, goals, rows

if TYPE_CHECKING:
    from intervals import Estimate
    from peers_figures import Goal, Row

HEAD = """\
# sonoedge beside its peers

Written by `make peers`; nothing on this page is typed by hand. Every system runs the same model on the same rendered
640x480 RGB frames, each in a process and an environment of its own, warm, in interleaved rounds. A frame's work begins
with the picture and ends with the result; *bare* is given finished tensors and is the limit. Only sonoedge also looks
for lesions, keeps what it finds on disk and brings it to a broker. In brackets: 95 % bootstrap intervals over rounds.
"""
QUICK = "> **A quick run, which shows that it works. Its figures mean nothing.**\n"
BUSY = "> **The machine was busy with something else when this began; measure again when it is quiet.**\n"
BUSY_CORES = 0.3
NOTES = """\
- *cores busy*: processor time of all its processes over the time that passed, at full speed. Two stages that overlap
  use more than one.
- *off*: how far its first output is from the golden one, in steps of 1/256, on the golden tensors; where there is none,
  the golden vectors were replayed at its start (sonoedge), or it is the bare interpreter (Frigate-style).
- p50 and p99 are of frames that are due at fixed times, counted from when each was due. Who cannot keep the pace has
  none.
- *to ack*: until the broker had acknowledged (PUBACK) what was found in that frame. It was committed to disk before it
  was sent. A lesion is told anew with every frame for this, which a device does not do.
- The Frigate-style loop is written from Frigate's description (`benchmarks/peer_runners/frigate_style.py`): capture,
  camera and detector processes, shared memory, queues, one detection of a camera at a time; without motion detection.
  It is not Frigate. All that can be gained on it is what it leaves of *bare*.
- MediaPipe cannot be told how many threads to use; it uses one.
"""


def spread(one: Estimate, digits: int) -> str:
    """Text of a figure and its interval."""
    return f"{one.value:.{digits}f} ({one.low:.{digits}f} to {one.high:.{digits}f})"


def table(head: list[str], lines: list[list[str]]) -> str:
    """Markdown table; the first column is text, the others are figures."""
    rule = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(line)} |" for line in lines)])


def verdict(goal: Goal) -> str:
    """Whether it is met, and whether the interval leaves a doubt."""
    return ("yes" if goal.met else "**no**") + ("" if goal.sure else ", not certain")


def goal_table(said: dict[str, Any]) -> str:
    """Markdown table of the goals: what was wanted, what was measured, and whether it is met."""
    lines = [[one.what, one.wanted, spread(one.got, one.digits), verdict(one)] for one in goals(said)]
    return table(["", "goal", "measured", "met"], lines)


def mode_table(mode: dict[str, Any], fps: float) -> str:
    """Markdown table of one mode: one line a peer."""
    paced = any(one["ms"] for one in mode["peers"].values())
    head = ["", "version", "frames/s", "of bare", "cores busy", "off"]
    head += [f"p50, p99 ms at {fps:.0f}/s", "to ack"] if paced else []
    lines = []
    for row in rows(mode):
        line = [NAMES[row.name], row.version, f"{row.frames_per_s.value:.1f}"]
        line.append("" if row.of_bare is None else spread(row.of_bare, 3))
        line += [f"{row.cores:.2f}", "" if row.steps_off is None else f"{row.steps_off:.0f}"]
        line += [latency(row, "result"), latency(row, "ack")] if paced else []
        lines.append(line)
    missing = [f"\nWithout {NAMES[name].strip('*')}: {why}." for name, why in mode["missing"].items()]
    return table(head, lines) + "".join(f"\n{one}" for one in missing)


def latency(row: Row, point: str) -> str:
    """Text of a latency: ``p50, p99 (interval of p99)``, or nothing."""
    if point not in row.ms:
        return ""
    p50, p99 = row.ms[point]
    return f"{p50.value:.1f}, {spread(p99, 1)}"


def stream_table(said: dict[str, Any]) -> str:
    """Markdown table of streams: one line for each number of them."""
    counts = [str(count) for count in said["counts"]]
    speed, size = said["frames_per_s"], said["pss_mb"]
    lines = [
        [count, f"{median(speed[count]).value:.1f}", spread(ratio(speed[count], speed[counts[0]]), 3),
         spread(median(size[count]), 1)]
        for count in counts
    ]  # fmt: skip
    return table(["streams", "frames/s in all", "of one's", "PSS, MB"], lines)


def dicom_table(said: dict[str, Any]) -> str:
    """Markdown table of DICOM decoding: one line for each kind of cine."""
    lines = []
    for kind, speeds in said["kinds"].items():
        line = [kind, *(f"{median(speeds[who]).value:.0f}" for who in ("ours", "pydicom", "pydicom raw"))]
        line += [spread(ratio(speeds["ours"], speeds[who]), 2) for who in ("pydicom", "pydicom raw")]
        lines.append(line)
    return table(["", "ours, frames/s", "pydicom", "pydicom, raw", "ours / pydicom", "ours / raw"], lines)


def markdown(said: dict[str, Any]) -> str:
    """Markdown text of the whole page."""
    parts = [HEAD]
    if any(part.get("quick") or part.get("settings", {}).get("quick") for part in said.values()):
        parts.append(QUICK)
    if any(part.get("machine", {}).get("cores_busy_before", 0.0) > BUSY_CORES for part in said.values()):
        parts.append(BUSY)
    peers, streams, dicom = said.get("peers"), said.get("streams"), said.get("dicom_jpeg")
    if peers:
        machine, model, run = peers["machine"], peers["model"], peers["settings"]
        extensions = ", ".join(machine["extensions"]) or "no extensions"
        parts.append(
            f"{peers['date']}, {machine['cpu']} ({machine['architecture']}; {extensions}), "
            f"{machine['cores']} cores ({machine['cores_busy_before']} taken before it began), "
            f"Linux {machine['kernel']}. "
            f"{model['name']} {model['version']} (`{model['sha256'][:12]}`), sonoedge {peers['version']}; "
            f"{run['rounds']} rounds of {run['seconds']} s at full speed and {run['paced_seconds']} s at "
            f"{run['fps']:.0f} frames/s, {peers['minutes']} minutes.\n"
        )
        parts.append("![Frames a second and latency of all peers](peers.svg)\n")
    parts += ["## Goals\n", goal_table(said) + "\n"]
    for name, title in MODES.items():
        if peers and name in peers["modes"]:
            mode = peers["modes"][name]
            parts += [f"## {title}\n", mode_table(mode, peers["settings"]["fps"]) + "\n"]
            if mode["paced"]:
                parts.append(f"Broker: {mode['broker'] or 'none, so the way to it was not measured'}.\n")
    parts.append(NOTES)
    if streams:
        parts += [
            "## Streams\n",
            "`edge-cli run` with phantoms that give as many frames as are taken; PSS over all its processes.\n",
            stream_table(streams) + "\n",
            f"One live stream at 30 frames/s: first finding at a subscriber "
            f"{spread(median(streams['first_finding_s']), 2)} s after the command, "
            f"PSS {spread(median(streams['live_pss_mb']), 1)} MB.\n",
        ]
    if dicom:
        parts += [
            "## DICOM JPEG\n",
            f"A 640x480 JPEG baseline cine, from file to pixels, beside pydicom {dicom['pydicom']} with Pillow. "
            "pydicom gives RGB of a colour cine; *raw* leaves YCbCr as it is stored. It has one thread; ours decodes "
            "ahead in as many as there are cores, three at most.\n",
            dicom_table(dicom) + "\n",
        ]
    return "\n".join(parts)


def console(peers: dict[str, Any]) -> str:
    """Text of the tables of one run, to be read in a terminal."""
    parts = []
    for name, mode in peers["modes"].items():
        parts.append(f"\n{MODES[name]}")
        for row in rows(mode):
            of_bare = "" if row.of_bare is None else f"{spread(row.of_bare, 3):24}"
            line = f"  {row.name:15} {row.frames_per_s.value:8.1f} frames/s  {of_bare} cores {row.cores:.2f}"
            parts.append(line + "".join(f"  {point} ms {latency(row, point)}" for point in row.ms))
    parts.append("")
    for goal in goals({"peers": peers}):
        word = verdict(goal).replace("*", "")
        parts.append(f"{word:18}{goal.what}: {spread(goal.got, goal.digits)}, goal {goal.wanted}")
    return "\n".join(parts)


def main() -> int:
    """Write the page and the chart from the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", type=Path, help="what the benchmarks wrote with --json")
    parser.add_argument("--out", type=Path, required=True, help="folder for peers.md and peers.svg")
    options = parser.parse_args()
    try:
        said = json.loads(options.measured.read_text())
    except (OSError, ValueError) as error:
        print(f"error: {options.measured} cannot be read: {error}\nhint: make peers writes it", file=sys.stderr)
        return 2
    (options.out / "peers.md").write_text(markdown(said))
    if "two-cores" in said.get("peers", {}).get("modes", {}):
        (options.out / "peers.svg").write_text(chart(said["peers"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
