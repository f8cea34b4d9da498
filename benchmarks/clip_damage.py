"""Benchmark of damaged clips: by codec and kind of damage, how many wrong frames are given without a word.

    python benchmarks/clip_damage.py [--clips 12] [--seed 1]

Makes sound clips of 50 frames with ffmpeg, then damages them: coded frames left out, bytes changed at random, bytes set
to zero. A frame is wrong if the sound clip has none that is equal to it, bit by bit. Prints a Markdown table; a cell is
"wrong frames given (clips with one)". Before it, what is refused of sound clips: nothing should be. Needs ffmpeg; three
minutes on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from video_clips import read_all

from edge.contracts.errors import SourceError

FRAMES = 50
CODECS = {
    "H.264, no B frames": ("mp4", "libx264 -bf 0 -pix_fmt yuv420p"),
    "H.264, B frames": ("mkv", "libx264 -pix_fmt yuv420p"),
    "H.264, open groups": ("ts", "libx264 -x264opts open-gop=1:keyint=12 -pix_fmt yuv420p"),
    "H.264 in AVI": ("avi", "libx264 -pix_fmt yuv420p"),
    "HEVC": ("mp4", "libx265 -x265-params log-level=none -pix_fmt yuv420p"),
    "MPEG-2": ("ts", "mpeg2video -bf 2"),
    "MPEG-2, no B frames": ("mpg", "mpeg2video -bf 0"),
    "MPEG-1": ("mpg", "mpeg1video -bf 2"),
    "MPEG-4 part 2": ("avi", "mpeg4"),
    "MPEG-4 part 2, B frames": ("mp4", "mpeg4 -bf 2"),
    "VP8": ("webm", "libvpx -deadline realtime"),
    "VP9": ("webm", "libvpx-vp9 -deadline realtime -cpu-used 8"),
    "Theora": ("mkv", "libtheora"),
    "WMV 8": ("wmv", "wmv2"),
    "FFV1, groups": ("mkv", "ffv1 -g 12"),
    "Motion JPEG": ("avi", "mjpeg"),
}
KINDS = ("one frame missing", "three in a row missing", "8 % missing", "200 random bytes", "200 zero bytes")


def ffmpeg(*arguments: str) -> bool:
    """Run ffmpeg; whether it went well."""
    command = ["ffmpeg", "-v", "quiet", "-y", *arguments]
    return subprocess.run(command, check=False).returncode == 0


def digests(path: Path) -> tuple[list[bytes], int]:
    """Digest of each frame that is given, and the number of events; a file that is refused gives none."""
    try:
        frames, events = read_all(path)
    except SourceError:
        return [], 1
    return [hashlib.md5(frame.pixels.tobytes(), usedforsecurity=False).digest() for frame in frames], len(events)


def damage(sound: Path, damaged: Path, kind: str, dice: random.Random) -> bool:
    """Write a damaged copy of a clip; whether that went well."""
    if kind.endswith("bytes"):
        data = bytearray(sound.read_bytes())
        begin = dice.randrange(len(data) // 4, len(data) * 3 // 4)
        data[begin : begin + 200] = bytes(200) if "zero" in kind else dice.randbytes(200)
        damaged.write_bytes(data)
        return True
    first = dice.randrange(1, FRAMES - 4)
    lost = {first} if kind.startswith("one") else {first, first + 1, first + 2}
    if kind.startswith("8 %"):
        lost = set(dice.sample(range(1, FRAMES), 4))
    expression = "+".join(rf"eq(n\,{number})" for number in lost)
    return ffmpeg("-i", str(sound), "-c", "copy", "-bsf:v", f"noise=drop={expression}", str(damaged))


def row(name: str, folder: Path, clips: int, dice: random.Random) -> str:
    """One row of the table: a codec with all kinds of damage."""
    suffix, codec = CODECS[name]
    sound, damaged = folder / f"sound.{suffix}", folder / f"damaged.{suffix}"
    picture = f"testsrc2=size=320x240:rate=25:duration={FRAMES / 25}"
    if not ffmpeg("-f", "lavfi", "-i", picture, "-c:v", *codec.split(), str(sound)):
        return f"| {name} | not made |" + " |" * len(KINDS)
    known, events = digests(sound)
    cells = [f"{FRAMES - len(known)} refused, {events} lines" if events or len(known) != FRAMES else "all given"]
    for kind in KINDS:
        wrong = [
            sum(digest not in known for digest in digests(damaged)[0])
            for _ in range(clips)
            if damage(sound, damaged, kind, dice)
        ]
        cells.append(f"{sum(wrong)} ({sum(map(bool, wrong))})" if any(wrong) else "0")
    return f"| {name}, .{suffix} | {' | '.join(cells)} |"


def main() -> None:
    """Measure all codecs, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=12, help="damaged clips of each kind")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    print(f"| {arguments.clips} clips each | sound | {' | '.join(KINDS)} |\n|---|---|{'---|' * len(KINDS)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in CODECS:
            print(row(name, Path(folder), arguments.clips, dice), flush=True)


if __name__ == "__main__":
    main()
