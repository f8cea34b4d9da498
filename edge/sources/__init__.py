"""Frame sources: the implementations of the `Source` port (DICOM, images, video, phantom, replay), one a module.

A source knows how to get pictures and what its medium says of them (place, time, calibration, body part). It does
not judge them, does not resize them and knows nothing of what comes after. The seeded phantom itself is in
`edge.phantom`; `edge.phantom.scene` can be used without a source, for training and golden vectors.

Modules:

- ``dicom``: DICOM source, ``dicom:///file-or-folder?decode=colour|grey``: single frames and cines that scanners store.
- ``file_source``: Base class of sources that read files: finds the files, and goes on with the next when one of them is
  bad.
- ``image_file``: Open image file: gives its bytes to functions that read headers and decode, here or in the decoder
  process.
- ``images``: Image source, ``images:///file-or-folder``: decodes PNG, JPEG, BMP and TIFF files to frames.
- ``mpeg_program_stream``: Detects MPEG program streams (.mpg, .mpeg) that are cut within a packet. They hold no length
  or count to tell by.
- ``phantom``: Phantom source, ``phantom://``: frames of the seeded B-mode phantom, for demos, tests and load.
- ``replay``: Replay source, ``replay:///file.npz`` and `ReplaySource.of`: the fake of the `Source` port, for recorded
  frames.
- ``video``: Video source, ``video:///file-or-folder?pace=max|realtime``: clips, decoded by the FFmpeg in OpenCV.
"""
