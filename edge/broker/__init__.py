"""Embedded MQTT broker on this machine, for the demo and the benchmark.

Modules:

- ``embedded_broker``: Starts the embedded MQTT broker: mosquitto where it is installed, else the one in the ``iotcore``
  wheel.
"""
