"""RTSP server of frames that carry their clock: run by Debian's Python, which has GStreamer's bindings.

    /usr/bin/python3 rtsp_server.py PORT KIND WIDTH HEIGHT FPS [USER PASSWORD]

KIND: h264 (zero latency), h264-bframes, mjpeg, h265, vp8. Prints "ready" when it listens; ends with its stdin.
"""

from __future__ import annotations

import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from clock_pixels import draw_frame  # noqa: E402
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! video/x-h264,profile=baseline"
    " ! rtph264pay name=pay0 pt=96 config-interval=1",
    "h264-bframes": "x264enc speed-preset=ultrafast bframes=2 b-adapt=false key-int-max=30 rc-lookahead=0"
    " sync-lookahead=0 ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96 config-interval=1",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=30"
    " ! rtph265pay name=pay0 pt=96 config-interval=1",
    "mjpeg": "jpegenc quality=85 ! rtpjpegpay name=pay0 pt=26",
    "vp8": "vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay name=pay0 pt=96",
}


class RtspMedia:
    """Makes frames for each media that a client asked for."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        self.width, self.height, self.fps = width, height, fps
        self.number = 0

    def feed(self, media: GstRtspServer.RTSPMedia) -> None:
        source = media.get_element().get_child_by_name("camera")
        stopped = threading.Event()
        media.connect("unprepared", lambda _: stopped.set())
        threading.Thread(target=self._push, args=(source, stopped), daemon=True).start()

    def _push(self, source: Gst.Element, stopped: threading.Event) -> None:
        # Before the pipeline plays, appsrc has no base for its times: the sink would wait for what is hours ahead.
        while not stopped.is_set() and source.get_state(0).state != Gst.State.PLAYING:
            time.sleep(0.002)
        due = time.monotonic()
        while not stopped.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due + 1 / self.fps, time.monotonic() - 1 / self.fps)
            grey = draw_frame(self.width, self.height, self.number)
            self.number += 1
            if source.emit("push-buffer", Gst.Buffer.new_wrapped(grey)) == Gst.FlowReturn.EOS:
                return


def main() -> None:
    port, kind, width, height, fps = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    Gst.init(None)
    camera = RtspMedia(width, height, fps)
    caps = f"video/x-raw,format=GRAY8,width={width},height={height},framerate={fps}/1"
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( appsrc name=camera is-live=true do-timestamp=true format=time max-buffers=60"
        f" caps={caps} ! videoconvert ! video/x-raw,format=I420 ! {ENCODERS[kind]} )"
    )
    factory.set_shared(True)
    factory.connect("media-configure", lambda _, media: camera.feed(media))
    server = GstRtspServer.RTSPServer()
    server.set_service(port)
    if len(sys.argv) > 6:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(2)  # digest
        permissions = GstRtspServer.RTSPToken()
        permissions.set_string("media.factory.role", "viewer")
        auth.add_digest(sys.argv[6], sys.argv[7], permissions)
        server.set_auth(auth)
        factory.add_role_from_structure(
            Gst.Structure.new_from_string("viewer,media.factory.access=true,media.factory.construct=true")
        )
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    print("ready", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
