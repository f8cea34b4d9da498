"""MJPEG server as a process of its own, to be killed, stopped and started again: frames that carry their clock.

    python mjpeg_server.py PORT WIDTH HEIGHT FPS

Prints "ready" when it listens; ends with its stdin.
"""

from __future__ import annotations

import sys
import threading
import time

from live_servers import Connection, HttpCamera, clock_jpeg


def main() -> None:
    port, width, height, fps = map(int, sys.argv[1:5])

    def behave(connection: Connection) -> None:
        connection.stream_head()
        connection.frames(fps=fps, width=width, height=height)

    def prepared(connection: Connection) -> None:
        """Pictures made before: what is measured is who receives them."""
        pictures = [clock_jpeg(number, width, height) for number in range(8)]
        connection.stream_head()
        due, number = time.monotonic(), 0
        while connection.is_wanted:
            connection.wait(max(0.0, due - time.monotonic()))
            due = max(due + 1 / fps, time.monotonic())
            connection.part(pictures[number % len(pictures)])
            number += 1

    camera = HttpCamera(prepared if len(sys.argv) > 5 else behave, port)
    print("ready", flush=True)
    threading.Event().wait() if sys.stdin is None else sys.stdin.read()
    camera.close()


if __name__ == "__main__":
    main()
