"""``edge-cli simulate``: publishes the messages of many simulated devices to an MQTT broker."""

from __future__ import annotations

from typing import Annotated

import typer

from edge.cli import broker_options as options


def command(
    broker: options.BrokerUri,
    devices: Annotated[int, typer.Option(min=1, max=10_000, help="How many devices.")] = 10,
    rate: Annotated[float, typer.Option(min=0.01, max=100.0, help="Findings a second of each device.")] = 0.2,
    seconds: Annotated[float, typer.Option(min=0.1, help="End after so many seconds; Ctrl-C ends it too.")] = 60.0,
    with_faults: Annotated[
        bool, typer.Option("--faults", help="Devices go offline, become degraded, lose messages and repeat them.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the faults: other numbers, other faults.")] = 1,
    root: options.TopicRoot = "edge/v1",
    username: options.Username = None,
    password_file: options.PasswordFile = None,
    ca_file: options.CaFile = None,
) -> None:
    """Play many devices to a broker, with known losses.

    Messages are of the real shapes, under sites sim-1, sim-2, …; nothing in them is a finding. Devices answer
    request/findings/resend. At the end all say goodbye, and one JSON object tells what a consumer must have found:
    messages made, lost, repeated, given up, and sent again on request. Nothing of them stays at the broker, also after
    Ctrl-C; after a kill, 'fleet forget' deletes it. Never play to a broker that people rely on.

    Example:
      edge-cli simulate --devices 500 --broker mqtt://localhost:1883 --rate 0.5 --seconds 30 --faults
    """
    import signal
    import threading

    import msgspec

    from edge.fleet.consumer_connection import broker_settings as at
    from edge.fleet.simulation import NO_FAULTS, FaultRates, Simulation

    settings = at(broker, username=username, password_file=password_file, ca_file=ca_file)
    faults = FaultRates() if with_faults else NO_FAULTS
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    simulation = Simulation(settings, devices, rate=rate, faults=faults, seed=seed, root=root.strip("/"))
    try:
        simulation.run(seconds, stop)
        totals = simulation.reconnect_all()
        simulation.publish_offline()
        print(msgspec.json.encode(totals).decode())
    finally:
        try:
            simulation.clear_retained()
        finally:
            simulation.close()
