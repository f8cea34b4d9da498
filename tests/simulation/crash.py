"""Ends of simulated processes: raised at a crash point, and caught by nobody but the simulation."""

from __future__ import annotations


class CrashError(BaseException):
    """One process is killed at this point; its objects are dropped."""

    def __init__(self, process: object) -> None:
        super().__init__("killed")
        self.process = process


class PowerCutError(BaseException):
    """The power fails at this point: all processes are gone, and the disk has what was synced."""
