"""The frame process: capture, preprocessing, inference, post-processing; writes the outbox."""
