"""Inference on files for ``edge-cli infer``: finds the inputs, analyses each frame, writes the answers.

Modules:

- ``inputs``: Input files of ``edge-cli infer``: which source reads which file, by its first bytes, then by its name.
- ``output``: Output of ``edge-cli infer``: answers as JSON lines, as a table for people, as CSV file and as overlay
  PNGs.
- ``run``: Analyses input files one after the other in this process and gives an answer for each frame.
"""
