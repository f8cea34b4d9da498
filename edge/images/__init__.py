"""Image decoders and header parsers for PNG, JPEG, JPEG 2000, BMP and TIFF, which DICOM shares."""
