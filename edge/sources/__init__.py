"""Frame sources: the implementations of the `Source` port (DICOM, images, video, phantom, replay), one a module.

A source knows how to get pictures and what its medium says of them (place, time, calibration, body part). It does
not judge them, does not resize them and knows nothing of what comes after. The seeded phantom itself is in
`edge.phantom`; `edge.phantom.scene` can be used without a source, for training and golden vectors.

Modules:

- ``clip_decoder``: Decodes one clip with OpenCV's FFmpeg, and believes no frame that FFmpeg reports an error for.
- ``clip_frames``: Frames of one clip with their times, what was skipped, and what the file promised but does not hold.
- ``clip_parts``: Finds where a clip's picture format changes, and makes each part before and after a clip of its own.
- ``dicom``: DICOM source, ``dicom:///file-or-folder?decode=colour|grey``: single frames and cines that scanners store.
- ``ffmpeg_log``: FFmpeg's error log inside OpenCV, collected in memory: the only place where a failed frame is told.
- ``file_source``: Base class of sources that read files: finds the files, and goes on with the next when one of them is
  bad.
- ``image_file``: Open image file: gives its bytes to functions that read headers and decode, here or in the decoder
  process.
- ``images``: Image source, ``images:///file-or-folder``: decodes PNG, JPEG, BMP and TIFF files to frames.
- ``interlaced_probe``: Test of this machine's OpenCV with an interlaced clip of two frames: pictures, a told failure,
  or neither.
- ``mp4_boxes``: Reads from an MP4 or MOV file how many of its frames are to be shown, and of which sizes they are.
- ``mpeg_program_stream``: Detects MPEG program streams (.mpg, .mpeg) that are cut within a packet. They hold no length
  or count to tell by.
- ``phantom``: Phantom source, ``phantom://``: frames of the seeded B-mode phantom, for demos, tests and load.
- ``replay``: Replay source, ``replay:///file.npz`` and `ReplaySource.of`: the fake of the `Source` port, for recorded
  frames.
- ``stream_format``: Reads from coded packets what fixes a stream's picture format: size and chroma sampling, as bytes
  to be compared.
- ``video``: Video source, ``video:///file-or-folder?pace=max|realtime``: clips, decoded by the FFmpeg in OpenCV.
"""
