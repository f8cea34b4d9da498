"""The viewer process: main function. It judges and writes nothing; what people say goes to the frame process.

Run as ``python -m edge.viewer.process`` by the supervisor only. Nothing heavy is imported before the process has made
itself less urgent than all that judges.
"""

from __future__ import annotations

import contextlib
import os
import sys

from edge.process.child import inherit

NICENESS = 10
"""Whatever else is computed goes before the page."""


def main() -> int:
    """Main function: be nice, then load the server and run it; the exit code."""
    inheritance = inherit()
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(NICENESS)
    from edge.viewer.serve import run

    return run(inheritance)


if __name__ == "__main__":
    sys.exit(main())
