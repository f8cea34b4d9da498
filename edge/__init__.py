"""sonoedge: an inference runtime for ultrasound on edge devices. Research use only, not a medical device.

Read ``edge/pipeline/loop.py`` first: it is the whole flow. The layers, and which may import which, are described in
ARCHITECTURE.md and enforced by import-linter.
"""

__version__ = "0.1.0"
