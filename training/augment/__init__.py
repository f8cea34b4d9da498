"""Data augmentation: appearance, geometry, and the cache of augmented views."""
