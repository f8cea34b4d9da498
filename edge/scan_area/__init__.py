"""Scan area of a screen: finds the outline of the scan by its pixels, and blacks out all that lies outside of it.

Menus, names, bars and traces stand around the scan on the screens of scanners. What is found here serves blackout, gate
and millimetres; what the model sees is cut by `edge.preprocess.scan_area`, which a bundle's hash holds fast.
Arrays in, regions out: no I/O and no state, but in ``tracker``.
"""

FINDER_VERSION = "scan-area/1"
"""Version of the finder: another one may find another outline in the same picture. It stands in each finding."""
