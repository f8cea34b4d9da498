"""Frame sources: the implementations of the `Source` port (DICOM, images, video, phantom, replay), one a module.

A source knows how to get pictures and what its medium says of them (place, time, calibration, body part). It does
not judge them, does not resize them and knows nothing of what comes after. The seeded phantom itself is in
`edge.phantom`; `edge.phantom.scene` can be used without a source, for training and golden vectors.

Modules:

- ``clip_decoder``: Decodes one clip with OpenCV's FFmpeg, and believes no frame that FFmpeg reports an error for.
- ``clip_frames``: Frames of one clip with their times, what was skipped, and what the file promised but does not hold.
- ``clip_parts``: Coded packets of a clip, and its parts of one picture format, each made a clip of its own.
- ``dicom``: DICOM source, ``dicom:///file-or-folder?decode=colour|grey``: single frames and cines that scanners store.
- ``ffmpeg_log``: FFmpeg's error log inside OpenCV, collected in memory: the only place where a failed frame is told.
- ``file_source``: Base class of sources that read files: finds the files, and goes on with the next when one of them is
  bad.
- ``frame_numbers``: Finds frames that are missing from a stream by the numbers that H.264, MPEG-1 and MPEG-2 give their
  frames.
- ``h264_headers``: Reads from H.264 packets what numbers their frames: ``frame_num`` and the parameter sets that say
  how it is coded.
- ``image_file``: Open image file: gives its bytes to functions that read headers and decode, here or in the decoder
  process.
- ``images``: Image source, ``images:///file-or-folder``: decodes PNG, JPEG, BMP and TIFF files to frames.
- ``interlaced_probe``: Test of this machine's OpenCV with an interlaced clip of two frames: pictures, a told failure,
  or neither.
- ``live/``: Live sources: cameras and network streams, each received and decoded in a child process of its own.
- ``missing_frames``: Spans of a clip in which frames may be predicted from one that is missing from the file, or a hole
  in it.
- ``mp4_boxes``: Reads from an MP4 or MOV file how many of its frames are to be shown, and of which sizes they are.
- ``mpeg_group_times``: Compares the time codes of MPEG-1 and MPEG-2 groups of pictures with how many frames each group
  holds.
- ``mpeg_program_stream``: Detects MPEG program streams (.mpg, .mpeg) that are cut within a packet. They hold no length
  or count to tell by.
- ``packet_watch``: Reads a clip's coded packets ahead of its decoder: where the picture's format changes, and which
  frames are missing.
- ``phantom``: Phantom source, ``phantom://``: frames of the seeded B-mode phantom, for demos, tests and load.
- ``replay``: Replay source, ``replay:///file.npz`` and `ReplaySource.of`: the fake of the `Source` port, for recorded
  frames.
- ``stream_format``: Reads from coded packets what fixes a stream's picture format: size and chroma sampling, as bytes
  to be compared.
- ``time_holes``: Finds holes in the times of a clip whose frames are otherwise a constant interval apart.
- ``video``: Video source, ``video:///file-or-folder?pace=max|realtime``: clips, decoded by the FFmpeg in OpenCV.
- ``video_memory``: Estimate of the memory that decoding a video takes: frame size, reference frames, and threads of the
  decoder.
- ``zero_runs``: Finds zeros in coded slices of H.264 and HEVC that no encoder writes: where a file has a hole filled
  with them.
"""
