"""Inference on files for ``edge-cli infer``: finds the inputs, analyses each frame, writes the answers.

Modules:

- ``clip_summary``: Summary of a clip: a line for each lesion that was tracked, and one for the clip.
- ``feature_file``: ``edge-cli infer --features``: feature vectors of all frames and tracked lesions of the inputs, in
  one ``.npz``.
- ``film``: Overlay film: every frame of one clip with what was found drawn on it, and a slate for each that was not
  judged.
- ``inputs``: Input files of ``edge-cli infer``: which source reads which file, by its first bytes, then by its name.
- ``output``: Output of ``edge-cli infer``: answers as JSON lines, as a table for people, as CSV file and as overlay
  PNGs.
- ``run``: Analyses input files one after the other in this process and gives an answer for each frame.
- ``stdin_file``: Standard input as a file: what comes on it is kept in a nameless temporary file, which sources read by
  a path.
"""
