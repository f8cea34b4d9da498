"""``edge-cli demo``: see it work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edge.demo.run import ScenarioRun


def command(
    own: Annotated[
        Path | None, typer.Option("--input", help="Your own pictures for the second act: a file or a folder.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the page and the overlays.")] = Path("demo-out"),
    seconds: Annotated[float, typer.Option(min=1.0, help="All of it ends within so many seconds.")] = 55.0,
    config: Annotated[Path | None, typer.Option(help="Settings for the daemon: a TOML file, a device profile.")] = None,
) -> None:
    """See it work: a broker, the daemon, a phantom and a real clip, on this machine alone.

    Starts a broker and the daemon, and shows what an independent MQTT subscriber received: first of a phantom, whose
    lesion is found and measured, then of a real clip that is no breast, which must be refused (or of --input). Writes
    overlays and index.html to look at. Nothing is left running, and nothing goes over the network.

    Research use only, not a medical device.

    Example:
      edge-cli demo
      edge-cli demo --input scans/ --out demo-out
    """
    import signal

    from edge.contracts.errors import DeviceError
    from edge.demo.run import play
    from edge.demo.scenarios import scenarios

    # So that `with` blocks end their processes when we are asked to stop, as they do at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("Research use only. Not a medical device.", flush=True)
    played, page = play(scenarios(own), out, seconds, config, Terminal())
    print(f"\nTo look at: {page}", flush=True)
    problems = [f"{each.act.title}: {problem}" for each in played for problem in each.outcome.problems]
    if problems:
        raise DeviceError(f"the demo did not show what it should: {'; '.join(problems)}", hint=f"see the logs in {out}")


class Terminal:
    """Prints what goes on."""

    def step(self, text: str) -> None:
        """Something begins."""
        print(f"-- {text}", flush=True)

    def act(self, played: ScenarioRun) -> None:
        """All that is to be said of one act."""
        print(f"\n== {played.act.title} ==\n{played.act.about}\n")
        width = max([5, *(len(row.topic) for row in played.rows)])
        print(f"{'#':>4}  {'s':>5}  {'topic':<{width}}  what was received: what it means")
        told: set[str] = set()
        for row in played.rows:
            meaning = f": {row.meaning}" if row.meaning and row.meaning not in told else ""
            told.add(row.meaning)
            print(f"{row.number:>4}  {row.at:>5}  {row.topic:<{width}}  {row.what}{meaning}")
        print(f"\n{played.outcome.sentence}")
        for fact in played.outcome.facts:
            print(f"  - {fact}")
        for problem in played.outcome.problems:
            print(f"  ! {problem}")
        print(flush=True)
