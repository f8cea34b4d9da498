"""Postprocessing: abstention rules, and the lesions, measures, descriptors and verdict of one frame.

All of it runs on every frame in the frame process: numpy and OpenCV only, no state, no I/O.
"""
