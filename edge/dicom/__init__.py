"""Reading DICOM: pure helpers from a file to pictures, regions, frame times and an origin that says nothing of who.

``clip`` puts them together. No ports, no settings, no patient: only the elements named in ``header.KEYWORDS`` are read.
"""
