"""Sinks: the implementations of the `Sink` port, which deliver stored messages to MQTT brokers and files.

Everything here runs in the publisher process. Nothing here imports numpy or cv2, nor knows what a finding is: bodies
are bytes.
"""
