"""Contracts that every part agrees on: data types, messages on the wire, ports, errors, topic names.

No I/O lives here, and nothing here imports numpy or cv2 at run time: the publisher process and ``edge-cli --help``
import these modules and must stay light.
"""
