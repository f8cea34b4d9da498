"""Estimate of the memory that decoding a video takes: frame size, reference frames, and threads of the decoder.

A decoder keeps the frames that others are predicted from, up to 16 of them, and each further thread has some of its
own. The file's length says nothing about that: 45 kB of H.264 take a gigabyte.
"""

from __future__ import annotations

from edge.contracts.errors import SourceError
from edge.contracts.results import Reason
from edge.sources.h264_headers import BitReader, reference_frames

MAX_VIDEO_MEMORY = 256 << 20
"""Most bytes that decoding a video may take."""
MOST_REFERENCES = 16
H264 = frozenset({"h264", "avc1", "avc3", "x264"})
HEVC = frozenset({"hevc", "hvc1", "hev1", "h265"})
_REFERENCES = {"vp80": 4, "vp90": 9, "av01": 9}
"""Frames kept for prediction, by codec. H.264 and HEVC tell it in their parameter sets."""
_FEW_REFERENCES = 2
_INTRA = frozenset({"mjpg", "jpeg", "mjpa", "avrn", "ffv1", "apch", "apcn", "apcs", "apco", "ap4h", "ap4x", "dvsd"})
_OWN_FRAMES, _OWN_HEVC_FRAMES, _OWN_INTRA_FRAMES = 6, 8, 4
"""Frames that FFmpeg holds beside those for prediction: in work, delayed, waiting. Measured."""
_COPIES = 9
"""Bytes a pixel of the picture given: three copies of it in BGR or RGB."""
_SAMPLES = {"I420": 1.5, "YV12": 1.5, "NV12": 1.5, "Y42B": 2, "I422": 2, "444P": 3, "Y800": 1, "YUV9": 1.125}
"""Bytes a pixel of the decoder's frames, by FFmpeg's code of their format; those of 8 bits."""
_MOST_BYTES = 8.0
_HEVC_SPS, _H264_SPS = 33, 7


def pixel_bytes(code: bytes) -> float:
    """Bytes a pixel of a decoder's frames. ``code``: FFmpeg's code of the format; the most there are if unknown.

    Other planar formats have a code such as ``Y 3 11 10``: planes, binary logarithms of the chroma sampling, bits.
    """
    if (known := _SAMPLES.get(code.decode("latin-1"))) is not None:
        return known
    if code[3:4] in (b"Y", b"G"):
        code = code[::-1]  # big-endian samples
    if len(code) != 4 or code[:1] not in (b"Y", b"G") or code[1:2] not in (b"1", b"2", b"3", b"4") or code[3] > 16:
        return _MOST_BYTES
    planes = code[1] - ord("0")
    luma_and_alpha, chroma = 1 if planes % 2 else 2, 2.0 if planes >= 3 else 0.0
    samples = luma_and_alpha + chroma / {11: 4, 10: 2}.get(code[2], 1)
    return samples * (1 if code[3] <= 8 else 2)


def max_references(codec: str) -> int:
    """Most frames that a decoder of this codec (its four-character code in lower case) keeps for prediction."""
    if codec in H264 or codec in HEVC:
        return MOST_REFERENCES
    return _REFERENCES.get(codec, 0 if codec in _INTRA else _FEW_REFERENCES)


def told_references(codec: str, packet: bytes) -> int:
    """Most frames kept for prediction, as the parameter sets of a packet with start codes tell; else the codec's most.

    ``codec``: its four-character code in lower case.
    """
    kind, read = (_H264_SPS, reference_frames) if codec in H264 else (_HEVC_SPS, _hevc_references)
    found = []
    for unit in packet.split(b"\0\0\1")[1:]:
        if unit and (unit[0] & 0x1F if codec in H264 else unit[0] >> 1 & 0x3F) == kind:
            try:
                found.append(read(unit[1:1024]))
            except ValueError:
                return max_references(codec)
    return min(max(found), MOST_REFERENCES) if found else max_references(codec)


def _hevc_references(unit: bytes) -> int:
    """Frames that the decoder keeps, from a sequence parameter set behind its first byte (23008-2, 7.3.2.2)."""
    bits = BitReader(unit)
    bits.read(8 + 4)
    layers = bits.read(3)
    bits.read(1 + 96)
    present = [bits.read(2) for _ in range(8 if layers else 0)][:layers]
    for flags in present:
        bits.read((88 if flags & 2 else 0) + (8 if flags & 1 else 0))
    bits.exp_golomb()
    if bits.exp_golomb() == 3:
        bits.read(1)
    bits.exp_golomb()
    bits.exp_golomb()
    if bits.read(1):
        for _ in range(4):
            bits.exp_golomb()
    for _ in range(3):
        bits.exp_golomb()
    every = bits.read(1)
    most = 0
    for _ in range(layers + 1 if every else 1):
        most = max(most, bits.exp_golomb() + 1)
        bits.exp_golomb()
        bits.exp_golomb()
    return most


def video_memory(pixels: int, bytes_per_pixel: float, codec: str, references: int, threads: int) -> int:
    """Estimate the bytes that decoding takes. ``pixels``: of a frame."""
    own = _OWN_INTRA_FRAMES if codec in _INTRA else _OWN_HEVC_FRAMES if codec in HEVC else _OWN_FRAMES
    of_threads = 1 + 1.5 * threads if threads > 1 else 0
    return round(pixels * (_COPIES + bytes_per_pixel * (own + references + of_threads)))


def affordable_threads(pixels: int, bytes_per_pixel: float, codec: str, references: int, threads: int) -> int:
    """Most threads of the decoder, up to ``threads``, with which it takes no more than `MAX_VIDEO_MEMORY`; 0: none."""
    for count in range(threads, 0, -1):
        if video_memory(pixels, bytes_per_pixel, codec, references, count) <= MAX_VIDEO_MEMORY:
            return count
    return 0


def too_much(width: int, height: int, bytes_per_pixel: float, codec: str, references: int) -> SourceError:
    """Error for a video whose decoding would take too much."""
    needed = video_memory(width * height, bytes_per_pixel, codec, references, 1)
    kept = f" and {references} reference frames" if references else ""
    return SourceError(
        f"video that takes {needed >> 20} MB to decode, more than {MAX_VIDEO_MEMORY >> 20}: {width} x {height} "
        f"with {bytes_per_pixel:g} bytes a pixel{kept}",
        hint="convert it: ffmpeg -i CLIP -vf scale=1920:-2 -pix_fmt yuv420p NEW.mp4",
        reason=Reason.TOO_LARGE.value,
    )
