"""FFmpeg's error log inside OpenCV, collected in memory: the only place where a failed frame is told.

`cv2.VideoCapture` returns True for frames whose conversion or decoding failed. FFmpeg logs the failure, and OpenCV
prints the log with C's ``printf`` when OPENCV_FFMPEG_LOGLEVEL is set. File descriptor 1 cannot be redirected: results
are written there, and FFmpeg's decoder threads print at any time. So C's ``stdout`` variable, which the GNU C library
allows to be set, is pointed at a file in memory. Python does not use it, and neither do children.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import re
import sys
import threading

log = logging.getLogger(__name__)

LEVEL = 32
"""FFmpeg's AV_LOG_INFO: what its decoders conceal they mention at this level only."""
DETAILED = 48
"""FFmpeg's AV_LOG_DEBUG: at this level only does its H.264 decoder say that a frame never came."""
_ERROR = 16
"""FFmpeg's AV_LOG_ERROR: damage and failures. Warnings come with sound clips, too."""
QUIET = -8
"""FFmpeg's AV_LOG_QUIET."""
_KEEP = 1 << 20
"""Bytes of log that may lie in memory after they were read."""

_CONVERSION = ("Cannot convert", "-> fmt:", "Slice parameters", "bad src image", "bad dst image")
"""Parts of errors by the converter to RGB (swscale). They concern one frame, and no later one."""
_HARMLESS = (
    "SEI type",
    "unable to decode APP",
    "partial file",
    "ended prematurely",
    "non-existing PPS",
    "non-existing SPS",
    "no frame!",
    "decode_slice_header error",
    "co located POCs unavailable",
    "Invalid frame dimensions",
    "first frame is no keyframe",
    "mmco: unref short failure",
)
"""Parts of errors that tell of no wrong pixel: metadata, ends of files, and frames that FFmpeg itself leaves out.

That a frame to be forgotten is not there (mmco) is so at the start of an open group of pictures, and says nothing about
frames that are shown; where one is missing, `edge.sources.frame_numbers` tells.
"""
_CONCEALED = ("concealing", "overread")
"""Parts of lines below errors by decoders that filled in what they could not decode."""
_TRANSPORT = ("Packet corrupt",)
"""Parts of lines below errors that tell of data lost before the decoder."""
_MISSING = (
    "non-existing PPS",
    "non-existing SPS",
    "no frame!",
    "decode_slice_header error",
    "first frame is no keyframe",
    "Invalid frame dimensions",
    "Frame num gap",
    "undecodable",
    "ignoring extra picture",
    "RTP: missed",
    "max delay reached",
    "overrun",
)
"""Parts of lines, at any level, that tell of frames which never came or were left out: the next is predicted from what
is not there. In clips the numbers and times of the packets tell it (`edge.sources.missing_frames`)."""
_LINE = re.compile(r"\[OPENCV:FFMPEG:(-?\d+)\] ")


class FFmpegLog:
    """Counts of the errors that FFmpeg logged in this process, by their effect on pictures."""

    def __init__(self) -> None:
        self.conversions = 0
        """Lines of the converter to RGB: the frame asked for was not written."""
        self.damages = 0
        """Lines of decoders: a frame is damaged, now or, with decoder threads, in one of the next frames."""
        self.transports = 0
        """Lines of readers of containers: the packet that is being read is damaged."""
        self.missing = 0
        """Lines that tell of frames that never came or were left out; complete after `tell_missing_frames`."""
        self._memory = -1
        self._level = LEVEL
        self._read = self._freed = 0
        self._lock = threading.Lock()

    @property
    def installed(self) -> bool:
        """Whether FFmpeg's lines arrive here."""
        return self._memory >= 0

    def install(self) -> None:
        """Redirect FFmpeg's log to this object, once a process; where that fails, switch it off."""
        with self._lock:
            if self._memory < 0 and _is_gnu_libc():
                self._memory = _redirect_c_stdout()
            # Not the user's choice: frames are refused by these lines.
            os.environ["OPENCV_FFMPEG_LOGLEVEL"] = str(LEVEL if self._memory >= 0 else QUIET)

    def tell_missing_frames(self) -> None:
        """Have the decoders say, too, what never came. For processes that read live streams, before FFmpeg is used.

        A clip's decoders would only be slowed down by it.
        """
        with self._lock:
            if self._memory >= 0:
                os.environ["OPENCV_FFMPEG_LOGLEVEL"] = str(DETAILED)

    def update(self) -> None:
        """Count the lines that came since the last call. Half a microsecond if there are none."""
        if self._memory < 0:
            return
        with self._lock:
            unread = os.fstat(self._memory).st_size - self._read
            if not unread:
                return
            data = os.pread(self._memory, unread, self._read)
            data = data[: data.rfind(b"\n") + 1]  # a line is printed in pieces
            self._read += len(data)
            if self._read - self._freed > _KEEP:
                self._free()
            for line in data.decode("utf-8", "replace").splitlines():
                self._count(line)

    def _count(self, line: str) -> None:
        if head := _LINE.match(line):
            self._level = int(head[1])  # a line without it goes on with the one before
        if self._level > LEVEL:  # several lines a frame; they may hold the URI, with its password
            self.missing += "Frame num gap" in line
            return
        log.debug("%s", line)
        self.missing += any(part in line for part in _MISSING)
        if any(part in line for part in _CONVERSION):
            self.conversions += 1
        elif any(part in line for part in _TRANSPORT):
            self.transports += 1
        elif any(part in line for part in _CONCEALED) or (
            self._level <= _ERROR and not any(part in line for part in _HARMLESS)
        ):
            self.damages += 1

    def _free(self) -> None:
        """Give back the memory of lines that were read. Truncating would lose those that are being written."""
        keep_size, punch_hole = 1, 2
        offset = ctypes.c_longlong
        ctypes.CDLL(None).fallocate64(self._memory, keep_size | punch_hole, offset(0), offset(self._read))
        self._freed = self._read


@functools.cache
def ffmpeg_log() -> FFmpegLog:
    """Get the log of this process."""
    return FFmpegLog()


def _is_gnu_libc() -> bool:
    """Whether C's stdout is a variable that may be set: documented for glibc, a constant elsewhere."""
    try:
        return sys.platform == "linux" and (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError):
        return False


def _redirect_c_stdout() -> int:
    """Set C's stdout to an unbuffered stream into memory. Returns its file descriptor; -1 if that failed."""
    libc = ctypes.CDLL(None)
    libc.fdopen.restype, libc.fdopen.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_char_p)
    libc.setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    memory = os.memfd_create("ffmpeg-log", os.MFD_CLOEXEC)
    stream = libc.fdopen(memory, b"a")
    if not stream:
        os.close(memory)
        return -1
    unbuffered = 2  # _IONBF
    libc.setvbuf(stream, None, unbuffered, 0)
    ctypes.c_void_p.in_dll(libc, "stdout").value = stream
    return memory


ffmpeg_log().install()  # when imported: OpenCV reads the variable when it first uses FFmpeg, and not again
