"""Pixels to tensor and places back: one code for device, export and training, bit-equal on x86 and Arm."""
