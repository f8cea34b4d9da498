"""Composition root: puts settings, sources, runtime, sinks and processes together. Nothing below knows of it."""
