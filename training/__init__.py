"""Training of the models that the device runs: pictures in, ``runs/<id>/`` out.

What is handed on is files, never objects: `export` reads a run's folder and imports nothing of this package.
"""
