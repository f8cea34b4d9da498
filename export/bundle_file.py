"""Write a bundle file: see `edge.models.bundle_writer`, which the device has too."""

from edge.models.bundle_writer import append_zip, pack_golden, write_atomically

__all__ = ["append_zip", "pack_golden", "write_atomically"]
