"""Runners of the peers that sonoedge is measured against, each in a process of its own; see `benchmarks/peers.py`.

What is imported by all of them (`worker`, `peer`, `frame_schedule`, `resize`) needs NumPy and OpenCV only: a worker
runs in whatever environment its library wants, where neither sonoedge nor a newer Python need be. It is told what to do
by lines on stdin.

Modules:

- ``daemon``: sonoedge as `edge-cli run` runs it: capture thread, isolated runtime, outbox on disk, publisher, broker.
- ``frame_schedule``: Frame schedule: frames that are due at fixed times, as a camera's are, or as fast as they are
  taken.
- ``frigate_style``: A loop of the kind that Frigate has, written from its description: processes, shared memory,
  queues.
- ``in_process``: sonoedge as `edge-cli infer` runs it: the stages one after another, in one process.
- ``litert``: LiteRT alone (the limit: what `invoke` costs, and nothing else), and the older tflite-runtime with a
  resize.
- ``mediapipe``: MediaPipe Tasks' ImageClassifier: the same file, its own resize and its own reading of the outputs.
- ``onnx``: ONNX Runtime, with the same graph and its integers, converted by ``python -m export onnx``.
- ``openvino``: OpenVINO, which reads the ``.tflite`` file itself.
- ``peer``: Peer of the benchmark: what it must do, and how one that does one frame after the other is measured.
- ``resize``: Resizes a picture to a model's input, as someone does who writes a few lines around an interpreter.
- ``timed_publisher``: The daemon's publisher, which also writes into a pipe when each acknowledgement of the broker
  came.
- ``worker``: Worker process of a peer: ``python -m peer_runners.worker NAME --model F --pictures F.npz --threads N``.
- ``worker_process``: Worker process of a peer, seen from the benchmark: started, given requests, asked how many cores
  it used.
"""
