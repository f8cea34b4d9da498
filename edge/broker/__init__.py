"""Embedded MQTT broker on this machine, for the demo and the benchmark."""
