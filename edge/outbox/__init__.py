"""Durable outbox of messages on the device (SQLite): written by the frame process, read by the publisher."""
