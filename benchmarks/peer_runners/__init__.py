"""Runners of the peers that sonoedge is measured against, each in a process of its own; see `benchmarks/peers.py`.

What is imported by all of them (`worker`, `peer`, `frame_schedule`, `resize`) needs NumPy and OpenCV only: a worker
runs in whatever environment its library wants, where neither sonoedge nor a newer Python need be.

    peer.py           what a peer is: `Peer`, and how it is measured if it does one frame after the other
    worker.py         the process: ``python -m peer_runners.worker NAME …``, told what to do by lines on stdin
    worker_process.py the other side of it
    litert.py         bare LiteRT, and tflite-runtime
    mediapipe.py  openvino.py  onnx.py
    in_process.py     sonoedge as `edge-cli infer` runs it
    daemon.py         sonoedge as `edge-cli run` runs it, to a broker; timed_publisher.py is its publisher, timed
    frigate_style.py  capture, camera and detector processes over shared memory and queues
"""
