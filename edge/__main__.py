"""Entry point of ``python -m edge``, which is ``edge-cli``."""

from __future__ import annotations

from edge.cli.main import main

if __name__ == "__main__":
    main()
