"""Seeded B-mode ultrasound phantom: synthetic breast tissue, lesions with ground truth, probe geometry, echo."""
