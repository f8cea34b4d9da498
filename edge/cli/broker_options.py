"""Options that commands share which connect to an MQTT broker: its URI, and the account to use there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BrokerUri = Annotated[str, typer.Option(help="URI of the broker: mqtt://host:1883, mqtts://host:8883.")]
TopicRoot = Annotated[str, typer.Option(help="First part of every topic.")]
Username = Annotated[str | None, typer.Option(help="Name to show to the broker.")]
PasswordFile = Annotated[Path | None, typer.Option(help="File whose first line is the password.")]
CaFile = Annotated[Path | None, typer.Option(help="PEM of the authority behind the broker's certificate.")]
CertFile = Annotated[Path | None, typer.Option(help="PEM of our certificate.")]
KeyFile = Annotated[Path | None, typer.Option(help="PEM of our key.")]
