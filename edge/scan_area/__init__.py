"""Scan area of a screen: finds the outline of the scan by its pixels, and blacks out all that lies outside of it.

Menus, names, bars and traces stand around the scan on the screens of scanners. What is found here serves blackout, gate
and millimetres; what the model sees is cut by `edge.preprocess.crop`, which a bundle's hash holds fast.
Arrays in, regions out: no I/O and no state, but in ``tracker``.

Modules:

- ``blackout``: Blackout: makes all pixels outside of the scan's outlines black before a picture leaves the frame
  process.
- ``configured``: Scan area as the configuration gives it: the outline that is set for a stream, in the regions of its
  frames.
- ``edge_refine``: Refinement of a scan's sides at the source's resolution, to the pixel at which the texture begins.
- ``finder``: Finder of scan areas: the outlines of the scans that a screen shows, by texture and change. Never guesses.
- ``layout_check``: Layout check: whether a screen is still laid out as when its scans were looked for, at the cost of
  some samples.
- ``parts``: Parts of a speckle map that are large and broad enough for a scan; several views are several parts.
- ``polygon``: Polygons: filling, overlap, clipping to a box, convex hulls. Coordinates are pixel edges: x and y, float.
- ``scan_model``: Scan model: the sides of a scan area as numbers, for all four shapes, and the outline that they make.
- ``shape_fit``: Shape fit: the sector, curved, linear or trapezoid scan that a part of a speckle map belongs to.
- ``texture``: Speckle map of a screen: where the picture has the texture of a scan, and not that of text, bars, ticks
  or traces.
- ``tracker``: Scan area of one stream over time: looked for anew each second and when the layout changes, else checked
  cheaply.
"""

FINDER_VERSION = "scan-area/1"
"""Version of the finder: another one may find another outline in the same picture. It stands in each finding."""
