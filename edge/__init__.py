"""sonoedge: an inference runtime for ultrasound on edge devices. Research use only, not a medical device.

Read ``edge/pipeline/loop.py`` first: it is the whole flow. The layers, and which may import which, are described in
ARCHITECTURE.md and enforced by import-linter.

Modules:

- ``__main__``: Entry point of ``python -m edge``, which is ``edge-cli``.
- ``adopt/``: Adopts TFLite models from elsewhere: makes a bundle of a ``.tflite`` that says nothing, or little, of
  itself.
- ``app/``: Composition root: puts settings, sources, runtime, sinks and processes together. Nothing below knows of it.
- ``bench/``: Benchmark: how long a frame takes from capture to the broker's acknowledgement, stage by stage.
- ``broker/``: Embedded MQTT broker on this machine, for the demo and the benchmark.
- ``cli/``: Command line ``edge-cli``: one file a command; ``edge/cli/main.py`` says how a command is written.
- ``config/``: Settings (configuration): one frozen tree, read from defaults, a TOML file, environment and flags, in
  this order.
- ``contracts/``: Contracts that every part agrees on: data types, messages on the wire, ports, errors, topic names.
- ``daemon/``: The three processes of a running device (daemon): supervisor, frame process and publisher.
- ``demo/``: Demo: runs the daemon on sample pictures and shows what an MQTT subscriber received.
- ``device/``: Hardware of this machine, read from the kernel's files: board, sensors, cameras, accelerators, file
  systems.
- ``dicom/``: DICOM reader: from a file to its frames, calibrated regions, frame times and origin without patient data.
- ``doctor/``: Self-check of a machine for ``edge-cli doctor``: tries all that a daemon needs and says what is missing.
- ``fleet/``: Fleet monitoring on the consumer's side: what has arrived from many devices, and what is missing.
- ``images/``: Image decoders and header parsers for PNG, JPEG, JPEG 2000, BMP and TIFF, which DICOM shares.
- ``infer/``: Inference on files for ``edge-cli infer``: finds the inputs, analyses each frame, writes the answers.
- ``models/``: Reads and verifies model bundles: container, manifest, golden vectors, signature, graph, delegate
  placement.
- ``outbox/``: Durable outbox of messages on the device (SQLite): written by the frame process, read by the publisher.
- ``phantom/``: Seeded B-mode ultrasound phantom: synthetic breast tissue, lesions with ground truth, probe geometry,
  echo.
- ``picture/``: Presentation for people: overlays on pictures, wording of results, HTML pages.
- ``pipeline/``: Pipeline from frames to findings: capture, analysis, runtime fall-back, tracking and reporting.
- ``plugins``: Plugins: finds sources, runtimes and sinks by the scheme of their URI; loads one only when it is named.
- ``postprocess/``: Postprocessing: abstention rules, and the lesions, measures, descriptors and verdict of one frame.
- ``preprocess/``: Preprocessing: pixels to tensor, and places back; one code for device, export and training.
- ``process/``: Child processes: start, hand-over, lifeline to the parent, heartbeat, CPU affinity, stderr and memory.
- ``quantiles``: Nearest-rank percentiles: the one rule by which all of sonoedge picks a percentile from samples.
- ``runtimes/``: Inference runtimes behind the `Runtime` port: LiteRT, tflite-runtime, ONNX Runtime; ``scripted`` is the
  fake.
- ``scan_area/``: Scan area of a screen: finds the outline of the scan by its pixels, and blacks out all that lies
  outside of it.
- ``schema/``: Schema generator: JSON Schemas and the AsyncAPI document, made from the message types.
- ``sinks/``: Sinks: the implementations of the `Sink` port, which deliver stored messages to MQTT brokers and files.
- ``sources/``: Frame sources: the implementations of the `Source` port (DICOM, images, video, phantom, replay), one a
  module.
- ``tap/``: Tap: frames and their results on the way from the frame process to the viewer, through shared memory.
- ``viewer/``: Viewer process: serves the page that shows the person at the device what is found, while it happens.
"""

__version__ = "0.1.0"
