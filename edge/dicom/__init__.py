"""DICOM reader: from a file to its frames, calibrated regions, frame times and origin without patient data.

`edge.dicom.frame_reader` puts the parts together. No ports, no settings, no patient: only the elements named in
`edge.dicom.header.KEYWORDS` are read.
"""
