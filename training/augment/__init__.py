"""Augmentation: appearance, geometry, and the augmented views that are made once and kept."""
