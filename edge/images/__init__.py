"""Decoders and header parsers that PNG, JPEG, BMP, TIFF and DICOM share."""
