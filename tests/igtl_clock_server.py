"""OpenIGTLink server as a process of its own, to be killed, stopped and started again: images that carry their clock.

    python igtl_clock_server.py PORT WIDTH HEIGHT FPS

Prints "ready" when it listens; ends with its stdin.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import threading
import time

import numpy as np
from clock_pixels import draw_frame
from igtl_sender import image_body, message


def send_images(connection: socket.socket, width: int, height: int, fps: int, numbers: itertools.count[int]) -> None:
    """Send images to one client until it goes."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    due = time.monotonic()
    with connection, contextlib.suppress(OSError):
        while True:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due + 1 / fps, time.monotonic())
            sent_s = time.time()
            pixels = np.frombuffer(draw_frame(width, height, next(numbers)), np.uint8).reshape(height, width)
            connection.sendall(message("IMAGE", "Image", image_body(pixels), sent_s))


def main() -> None:
    port, width, height, fps = map(int, sys.argv[1:5])
    numbers = itertools.count()
    listener = socket.create_server(("127.0.0.1", port))
    print("ready", flush=True)

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=send_images, args=(connection, width, height, fps, numbers), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
