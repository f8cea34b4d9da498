"""Image decoders and header parsers for PNG, JPEG, JPEG 2000, BMP and TIFF, which DICOM shares.

Modules:

- ``decode``: Decodes JPEG, PNG and other images with OpenCV, and refuses damaged ones.
- ``decoder_child``: Child process that decodes: calls one function after the other for its parent, within limits of
  memory and time.
- ``decoder_process``: Decoder process: calls a decoding function in a child process with limits on memory, processor
  time and time.
- ``headers``: Headers of PNG, JPEG, BMP and TIFF files, read without decoding: picture size, and whether the file is
  complete.
- ``jpeg``: JPEG headers (ISO/IEC 10918-1 annex B): read without decoding, and the Adobe colour transform marker set.
- ``jpeg2000``: JPEG 2000 main header (ISO/IEC 15444-1 annex A), read without decoding the codestream.
- ``jpeg_grey``: Decodes only the luminance (grey) of a JPEG: about three quarters of the time that colour takes.
- ``limits``: Limits of one picture: how large it may be, and what its decoding may cost, told from headers before it is
  decoded.
"""
