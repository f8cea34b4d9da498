"""Seeded B-mode ultrasound phantom: synthetic breast tissue, lesions with ground truth, probe geometry, echo.

Modules:

- ``echo``: Simulates the echo of tissue: speckle, attenuation and log compression, from tissue maps to grey values.
- ``lesions``: Lesions of the phantom: star-shaped outlines, known exactly, placed where no movement takes them out of
  the scan.
- ``noise``: Reproducible random fields: the same bits on every machine, smooth surfaces, Gaussian blur. float64
  throughout.
- ``probe_geometry``: Geometry of linear and sector probes: scan conversion from beams to a picture, and of points
  between them.
- ``scene``: Seeded B-mode phantom scene: a breast that is made once and then rendered, frame by frame, at little cost.
- ``spec``: Specification of a phantom, and the ground truth of a picture of it: lesions, mask, region.
- ``tissue``: Tissue model of a breast in cross-section: how strongly each place scatters, mirrors and weakens sound.
"""
