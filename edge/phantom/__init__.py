"""A seeded B-mode ultrasound phantom: tissue, lesions, probe geometry, echo."""
