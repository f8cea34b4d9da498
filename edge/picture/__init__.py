"""Presentation for people: overlays on pictures, wording of results, HTML pages.

Modules:

- ``area_outlines``: Area outlines: draws the areas of a segmentation network on a picture, each label in a colour of
  its own.
- ``html_page``: HTML page in a single file: skeleton, escaping, pictures as data URIs; nothing is fetched from
  anywhere.
- ``overlay``: Overlay: draws lesions on a picture, and the result in words below it; colours of the overlay stand here.
- ``score_bars``: Score bars: the scores of a model's labels below its picture, a bar a label, the highest first.
- ``shapes``: Shapes over a picture, in source pixels: outlines, callipers, numbers and the scale bar, as one list.
- ``wording``: Wording of results for people: status, reason, size. Never "healthy": a frame without a lesion is only
  that.
"""
