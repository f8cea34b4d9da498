"""Data augmentation: appearance, geometry, and the cache of augmented views.

Modules:

- ``appearance``: Augmentation of appearance, which moves no pixel: gain, speckle, resampling, JPEG, burned-in callipers
  and text.
- ``fillings``: Fillings of pictures: tissue in a lesion's place, and the same beside lesions that stay; how they enter
  training.
- ``geometry``: Geometric augmentation, which moves pixels: picture and mask go through one and the same affine matrix.
- ``samples``: Training samples from data-set items: preprocessed as on the device, with augmentation or without.
- ``views``: Cache of augmented views on disk: made once, every fold and every experiment learns from the same ones.
"""
