"""From frames to findings. `loop` is the whole flow; `analyser` judges one frame; `guard` watches the runtime.

What lives here knows ports and contracts, not sources, runtimes or sinks: `edge.app` puts those in.
"""
