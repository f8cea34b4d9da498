"""Inference runtimes behind the `Runtime` port: LiteRT, tflite-runtime, ONNX Runtime; ``scripted`` is the fake.

`isolated` runs any of them in a child process, so that one that hangs can be killed.
"""
