"""Sinks: the implementations of the `Sink` port, which deliver stored messages to MQTT brokers and files.

Everything here runs in the publisher process. Nothing here imports numpy or cv2, nor knows what a finding is: bodies
are bytes.

Modules:

- ``jsonl``: JSON Lines file sink: appends one line ``{"topic": …, "payload": …}`` a message, for those who have no
  broker.
- ``memory``: Fake sink, ``memory://name``: keeps messages in this process; tests make it refuse, disconnect or fall
  silent.
- ``mqtt/``: MQTT sink: broker connection, reconnect back-off, in-flight window, refused topics, last will, credentials.
"""
