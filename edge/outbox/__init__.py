"""The durable store of messages on the device: written by the frame process, read by the publisher."""
