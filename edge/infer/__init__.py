"""Inference on files for ``edge-cli infer``: finds the inputs, analyses each frame, writes the answers."""
