"""Live sources: cameras and network streams, each received and decoded in a child process of its own.

A driver or decoder that hangs or crashes costs its stream only. `source` is the parent's side, `child` the other;
`reader` is the port that each kind of URI implements in the child. Frames cross by `ring`.

Modules:

- ``camera``: Camera source, ``camera://``: cameras and grabbers that the kernel serves as Video4Linux devices.
- ``camera_setup``: Sets up an opened video device: input, digital signal, pixel format, size and rate, and checks what
  came of it.
- ``child``: Child process of a live source: opens and decodes one stream, and writes each frame into the ring.
- ``damage``: Damage of a live stream's frames: which are not sound, told by packets, decoded frames and FFmpeg's log.
- ``fields``: Fields of interlaced pictures: one of the two is kept, and the lines of the other are filled in from it.
- ``gst``: GStreamer source, ``gst://<pipeline>``: what a pipeline gives, by ``gst-launch-1.0`` in a process of its own.
- ``http_connection``: HTTP connection to a camera: redirects, basic and digest authentication, time limits, and the
  kernel's time stamps.
- ``http_mjpeg``: MJPEG source ``http://`` and ``https://``: a stream of JPEG pictures, as cameras and ``ffmpeg -f
  mpjpeg`` send.
- ``igtl``: OpenIGTLink source, ``igtl://host:18944?device=Image``: PLUS, 3D Slicer, and scanners that speak through
  them.
- ``igtl_messages``: OpenIGTLink messages as far as pictures need them: the header of any message, and images with their
  spacing.
- ``late``: Late frames: what waited somewhere on its way, and is not what the probe sees now.
- ``link``: The parent's side of a live source's child process: starts it, asks it to open its stream, takes messages
  and frames.
- ``messages``: Messages between a live source and its child process, on a SOCK_SEQPACKET pair. Frames go through the
  ring.
- ``multipart``: Multipart stream (``multipart/x-mixed-replace``): splits what an MJPEG server sends into its parts.
- ``network``: Network sources ``rtsp://``, ``rtsps://``, ``udp://`` and ``srt://``: streams that FFmpeg receives and
  decodes.
- ``network_errors``: Words for what goes wrong on the network: each failure of a connection as an error with a hint,
  without the URI.
- ``network_url``: URL and options of a network stream as FFmpeg wants them: name and password stand in the URL, it
  takes no others.
- ``opencv_reader``: Reader of network streams by the FFmpeg in OpenCV, where PyAV is not installed: it says less, and
  only in its log.
- ``options``: Options that all live streams have: delays and time limits from the URI, credentials from the URI or the
  settings.
- ``picture_size``: Size of the pictures of one connection: a change in mid-stream is a loss, since a calibration is for
  one size.
- ``program``: External program that writes raw pictures to a pipe: started without a shell, in a process group of its
  own.
- ``pyav_reader``: Reader of network streams by PyAV: FFmpeg with small delays, and with a word for each failure.
- ``raw_pictures``: Reader of raw pictures from an external program's pipe: whole pictures only, each with the time of
  its first byte.
- ``reader``: Reader port of live sources: what stands in the child process behind one kind of URI, and what it gives.
- ``refusals``: Refusals: a camera that refuses our password is asked seldom, since many lock an account after some
  attempts.
- ``ring``: Ring of the newest frames in shared memory, from a live source's child process to its parent.
- ``rpicam``: Raspberry Pi camera source, ``rpicam://``: cameras on a Pi's ribbon cable, by ``rpicam-vid`` in a process
  of its own.
- ``silence``: Limit of silence: how long a live stream may give no picture until it counts as lost.
- ``source``: Live source: the parent's side of a stream that is received and decoded in a child process.
- ``stamp_holes``: Finds missing frames of a live stream by holes in its time stamps, where the codec has a constant
  frame rate.
- ``stream_clock``: Clock of a live stream: maps its time stamps to this machine's monotonic clock, by the smallest
  delay seen.
- ``synthetic``: Synthetic live source for tests: frames with their number as grey level, and every fault that a reader
  may have.
- ``uri_values``: Values of a live source's URI that several kinds read: the size of a picture, and frames per second.
- ``v4l2/``: Video4Linux 2: what the kernel says of a camera or grabber, and its frames, by system calls alone.
"""
