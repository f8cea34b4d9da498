"""Preprocessing: pixels to tensor, and places back; one code for device, export and training.

It is bit-equal on x86 and Arm.

Modules:

- ``crop``: Crop of a picture: which part of it the model is given, by regions, or by what is bright; what it leaves
  unseen.
- ``letterbox``: Letterbox geometry: where a pixel of the tensor lies in the source picture, and back.
- ``picture_preprocessor``: Preprocessor that runs a `PictureRecipe`: pixels in, the filled tensor of any type and its
  geometry out.
- ``preprocessor``: Preprocessor that runs a `PreprocessRecipe`: pixels in, the filled uint8 tensor and its geometry
  out.
- ``recipes``: Preprocessor of a recipe of any version: the one place that chooses it.
"""
