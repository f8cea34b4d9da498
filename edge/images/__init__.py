"""Image decoders and header parsers for PNG, JPEG, JPEG 2000, BMP and TIFF, which DICOM shares.

Modules:

- ``bmp``: BMP files of Windows and OS/2, decoded with numpy: OpenCV misreads run lengths, OS/2 palettes and odd bit
  fields.
- ``bmp_run_lengths``: Run lengths of a BMP file (RLE8 and RLE4, MS-WMF 3.1.6.4), decoded to palette indices.
- ``decode``: Decodes JPEG, PNG and other images with OpenCV, and refuses damaged ones.
- ``decode_time``: Time limit for decoding one picture, by how fast this machine is: a slow board needs more than a
  workstation.
- ``decoder_child``: Child process that decodes: calls one function after the other for its parent, within limits of
  memory and time.
- ``decoder_process``: Decoder process: calls a decoding function in a child process with limits on memory, processor
  time and time.
- ``headers``: Headers of PNG, JPEG, BMP and TIFF files, read without decoding: the pictures of a file, and whether it
  is complete.
- ``jpeg``: JPEG headers (ISO/IEC 10918-1 annex B): read without decoding, and the Adobe colour transform marker set.
- ``jpeg2000``: JPEG 2000 main header (ISO/IEC 15444-1 annex A), read without decoding the codestream.
- ``jpeg_grey``: Decodes only the luminance (grey) of a JPEG: about three quarters of the time that colour takes.
- ``limits``: Limits of one picture: how large it may be, and what its decoding may cost, told from headers before it is
  decoded.
- ``orientation``: EXIF orientation of a picture: read from its EXIF block, and applied to its pixels.
- ``picture``: Decodes one picture of a PNG, JPEG, BMP or TIFF file to grey or RGB samples, upright, without
  transparency.
- ``png``: PNG files (W3C PNG, third edition): chunks checked, and what the decoder must not see left out.
- ``png_text``: Orientation in the text chunks of a PNG: XMP, and EXIF as ImageMagick writes it ("Raw profile type
  exif").
- ``sample_depth``: Depth of 16-bit samples: how many of their bits a picture or clip uses, so that one scale holds for
  all its frames.
- ``tiff``: TIFF directories (TIFF 6.0 section 2, and BigTIFF): the pages of a file, checked before a decoder sees them.
- ``tiff_deflate``: Checks the checksums of deflated TIFF strips and tiles, which libtiff does not look at.
- ``tiff_grey_alpha``: Decodes grey TIFF pages with opacity, of which OpenCV gives the grey alone.
- ``tiff_single_page``: Takes one page out of a TIFF file, as a file of its own that holds nothing else.
"""
