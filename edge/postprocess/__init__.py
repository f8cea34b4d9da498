"""Outputs to words: the gate before the model, and lesions, measures, descriptors and the verdict after it.

All of it runs on every frame in the frame process: numpy and OpenCV only, no state, no I/O.
"""
