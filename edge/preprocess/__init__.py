"""Preprocessing: pixels to tensor, and places back; one code for device, export and training.

It is bit-equal on x86 and Arm.
"""
