"""Rendered screens of scanners that never were, with the true outlines of their scans: for tests and figures.

``training_layouts`` are those that the finder of scan areas was made with, ``unseen_layouts`` were written apart, with
another painter, other fonts and other furniture, and are for measuring alone.

Modules:

- ``scan_content``: Scan content: speckled pictures of sector, curved, linear and trapezoid scans, with their true
  outlines.
- ``screen``: Rendered screen: a layout drawn once, with tissue that moves in its scans, and the truth about it.
- ``training_layouts``: Training layouts: screens that the finder of scan areas was made with. Drawn by OpenCV, in its
  own fonts.
- ``unseen_layouts``: Unseen layouts: screens that the finder of scan areas is measured on, and was not made with. Drawn
  by Pillow.
"""
