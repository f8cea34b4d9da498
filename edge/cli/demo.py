"""``edge-cli demo``: runs a broker, the daemon and two scenarios, and shows what a subscriber received."""

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
    overlays and index.html to look at. On a terminal it ends with the live page of a phantom, until Ctrl-C. Nothing is
    left running, and nothing goes over the network.

    Research use only, not a medical device.

    Example:
      edge-cli demo
      edge-cli demo --input scans/ --out demo-out
    """
    from edge.contracts.errors import DeviceError
    from edge.demo.run import run_scenarios
    from edge.demo.scenarios import demo_scenarios

    print("Research use only. Not a medical device.", flush=True)
    runs, page = run_scenarios(demo_scenarios(own), out, seconds, config, TerminalProgress())
    print(f"\nTo look at: {page}", flush=True)
    problems = [f"{each.scenario.title}: {problem}" for each in runs for problem in each.outcome.problems]
    if problems:
        raise DeviceError(f"the demo did not show what it should: {'; '.join(problems)}", hint=f"see the logs in {out}")
    _show_page(out)


def _show_page(out: Path) -> None:
    """Show the live page until Ctrl-C where somebody looks; else say how it is seen."""
    from edge.demo import live_page

    if not live_page.can_show():
        print(f"Live, in a browser: {live_page.COMMAND}", flush=True)
        return
    told = "Live, in a browser (Ctrl-C ends it): {}"
    live_page.show_page(out, lambda address: print(told.format(address), flush=True))


class TerminalProgress:
    """Prints the progress of the demo on stdout: steps, and all messages of each scenario."""

    def step(self, text: str) -> None:
        """Implement `DemoProgress.step`: print what begins."""
        print(f"-- {text}", flush=True)

    def scenario_ended(self, run: ScenarioRun) -> None:
        """Implement `DemoProgress.scenario_ended`: print messages, outcome and problems of a scenario."""
        print(f"\n== {run.scenario.title} ==\n{run.scenario.about}\n")
        width = max([5, *(len(row.topic) for row in run.rows)])
        print(f"{'#':>4}  {'s':>5}  {'topic':<{width}}  what was received: what it means")
        explained: set[str] = set()
        for row in run.rows:
            meaning = f": {row.meaning}" if row.meaning and row.meaning not in explained else ""
            explained.add(row.meaning)
            print(f"{row.number:>4}  {row.at:>5}  {row.topic:<{width}}  {row.what}{meaning}")
        print(f"\n{run.outcome.sentence}")
        for fact in run.outcome.facts:
            print(f"  - {fact}")
        for problem in run.outcome.problems:
            print(f"  ! {problem}")
        print(flush=True)
