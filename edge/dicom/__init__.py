"""DICOM reader: from a file to its frames, calibrated regions, frame times and origin without patient data.

`edge.dicom.frame_reader` puts the parts together. No ports, no settings, no patient: only the elements named in
`edge.dicom.header.KEYWORDS` are read.

Modules:

- ``bounded_streams``: Streams that give a DICOM file's bytes within limits: a deflated data set piece by piece, a
  header of sane size.
- ``clipped_samples``: Samples of a DICOM frame that lie outside the range in which its clip is shown: too many, and it
  is not judged.
- ``codecs``: Decodes compressed DICOM frames: 8-bit JPEG (lossless too) and JPEG 2000 by OpenCV, the rest by pydicom's
  decoders.
- ``colour_conversion``: Converts samples of any DICOM photometric interpretation (PS3.3 C.7.6.3.1.2) to 8-bit grey or
  RGB.
- ``element_limits``: Limits of what data elements of a DICOM header may hold: converting countless values or items
  takes seconds.
- ``element_values``: Values of DICOM data elements as integer, float or text, with None or a default for those absent
  or broken.
- ``encapsulated_frames``: Encapsulated (compressed) frames of a DICOM file: which fragments make up each. PS3.5 A.4,
  PS3.3 C.7.6.3.1.8.
- ``frame_origin``: Origin of a DICOM frame: scanner, body part, side and UIDs, nothing of the patient.
- ``frame_reader``: Reads the frames of a DICOM file, single or multi-frame (cine), one by one, never all of them in
  memory.
- ``frame_times``: Frame times of a DICOM cine: when each frame was acquired, counted from the first, where that can be
  true.
- ``grey_conversion``: Converts grey samples of any depth to 8 bits: DICOM PS3.3 C.11.1 (modality LUT) and C.11.2
  (window, VOI LUT).
- ``header``: DICOM header: reads only the data elements that we use, the transfer syntax, and where Pixel Data begins.
- ``pixel_layout``: Pixel layout of a DICOM file: the Image Pixel module (PS3.3 C.7.6.3), read and checked.
- ``prefetch``: Prefetch: decodes the next frames of a clip in a few threads while one is being processed; results come
  in order.
- ``pydicom_decoders``: Decodes DICOM frames with pydicom's decoders: RLE, JPEG-LS, and JPEG 2000 and JPEG beyond 8
  bits.
- ``regions``: DICOM ultrasound regions and their calibration in mm per pixel: PS3.3 C.8.5.5, US Region Calibration.
- ``row_bands``: Converts large frames in bands of rows, so that what lies between samples and picture takes little
  memory.
- ``sample_bits``: Bits of a DICOM sample that count: Bits Stored of them below High Bit; the others are masked out.
  PS3.5 8.1.1.
- ``segmented_palette``: Segmented colour palettes (PS3.3 C.7.9): how many entries they expand to, told before they are
  expanded.
- ``suppress_warnings``: Suppresses pydicom's warnings and logs: they quote values of elements, which may be the
  patient's.
"""
