"""Rendered screens of scanners that never were, with the true outlines of their scans: for tests and figures.

``training_layouts`` are those that the finder of scan areas was made with, ``unseen_layouts`` were written apart, with
another painter, other fonts and other furniture, and are for measuring alone.
"""
