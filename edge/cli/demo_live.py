"""``edge-cli demo-live``: a camera that dies and comes back, and what the daemon tells a subscriber of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    out: Annotated[Path, typer.Option(help="Folder for the logs and the daemon's configuration.")] = Path("demo-out"),
    seconds: Annotated[float, typer.Option(min=1.0, help="All of it ends within so many seconds.")] = 90.0,
    hold: Annotated[float, typer.Option(min=0.1, help="Seconds that each state of the camera is shown.")] = 3.0,
) -> None:
    """See a live camera lost and found: ffmpeg plays a phantom, on this machine alone.

    Starts a broker, the daemon and a camera: ffmpeg, which sends a phantom over HTTP. The camera is off at first, is
    switched on, killed, frozen and switched on again; a table shows what an independent MQTT subscriber received: age
    of the pictures, drops, reconnects, the lesion. Ends by itself in half a minute, or at Ctrl-C; nothing is left
    running.

    Research use only, not a medical device.

    Example:
      edge-cli demo-live
      edge-cli demo-live --hold 10
    """
    import shutil
    import signal

    from edge.contracts.errors import DeviceError
    from edge.demo.live_run import run_live_demo

    print("Research use only. Not a medical device.", flush=True)
    if shutil.which("ffmpeg") is None:
        print("skipped: ffmpeg, which plays the camera, is not installed (apt install ffmpeg)", flush=True)
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it in order, as Ctrl-C does
    outcome = run_live_demo(out, seconds, hold, TerminalLines())
    print()
    for fact in outcome.facts:
        print(f"  - {fact}")
    for problem in outcome.problems:
        print(f"  ! {problem}")
    if outcome.problems:
        raise DeviceError(
            f"the demo did not show what it should: {'; '.join(outcome.problems)}", hint=f"see the logs in {out}"
        )


class TerminalLines:
    """Prints the lines of the live demo on stdout."""

    def line(self, text: str) -> None:
        """Implement `LiveProgress.line`: print it at once."""
        print(text, flush=True)
