"""Tap: frames and their results on the way from the frame process to the viewer, through shared memory."""
