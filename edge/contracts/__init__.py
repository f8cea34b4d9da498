"""Contracts that every part agrees on: data types, messages on the wire, ports, errors, topic names.

No I/O lives here, and nothing here imports numpy or cv2 at run time: the publisher process and ``edge-cli --help``
import these modules and must stay light.

Modules:

- ``classifier``: ``classifier.json``: description of a plain classifier inside its ``.tflite``. No device judges by
  one.
- ``clip_model``: Features of a frame over time, and the recurrent step that joins them: ``clip.tflite`` in a bundle,
  and its port.
- ``coverage``: ``coverage/{stream}``: which result state held from when to when, so that silence can be told from
  health.
- ``decoding``: Decoding of bytes from outside the process: a value of the expected type, or one kind of error.
- ``envelope``: Envelope: the fields of every MQTT payload, and those that every durable message adds.
- ``errors``: Errors with a message for the user, a hint what to do, and the exit code of the command.
- ``feedback``: ``feedback/{stream}``: message that a person at the device agrees or disagrees with what was found.
- ``finding``: ``findings/{stream}``: message about one lesion's track, seen first, changed or gone; and the verdict
  behind it.
- ``frame_command``: Commands from the publisher to the frame process, and their results. They stay inside the device.
- ``frame_report``: Report of the frame process to the publisher: model, runtime, streams, problems and counters.
- ``frame_result``: Result of one frame inside the frame process: the verdict, which frame it is about, and what
  computed it.
- ``frames``: Frames and source events: what a source gives the pipeline.
- ``health``: ``health``: counters, times and sensor values every few seconds, flat, as exporters want them.
- ``labels``: ``labels/{stream}``: message about one label of a classifier or segmentation, new, changed or gone; its
  verdict.
- ``latest_result``: ``results/{stream}``: message with the latest result, for screens; not durable, rate-limited.
- ``manifest``: ``manifest.json``: model description inside the ``.tflite``: recipe, heads, thresholds. Untrusted until
  checked.
- ``names``: Valid names of sites, devices and streams, which stand in topics and file names.
- ``picture_recipe``: Preprocessing recipe of version 2: pictures in grey or colour, fitted and normalised as most
  networks want it.
- ``placement``: Placement of a model's operators: the proof that an accelerator is used, and not only configured.
- ``ports``: Ports: interfaces behind which every part can be exchanged. Each has a public fake for tests.
- ``precision``: Decimals of each kind of number on the wire and in files: as many as mean something. The one place that
  rounds.
- ``region``: Boxes, points and regions of a picture, in pixels, with their calibration in millimetres.
- ``request``: ``request/{command}`` and ``response/{command}``: messages that ask a device for something, and its
  answers.
- ``results``: Result states of a frame, the reasons for having none, and the lesion as it is reported.
- ``score_rules``: Rules that turn the scores of a classifier or of a segmentation network into labels and areas:
  thresholds, limits.
- ``state``: ``state``: message about who the device is and how it is (retained), and the MQTT last will.
- ``tensors``: Tensors that go into and come out of a runtime, and their specifications.
- ``topics``: MQTT topic names of a device: ``edge/v1/{site}/{device}/…``.
"""
