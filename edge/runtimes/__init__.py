"""Inference runtimes behind the `Runtime` port: LiteRT, tflite-runtime, ONNX Runtime; ``scripted`` is the fake.

`isolated` runs any of them in a child process, so that one that hangs can be killed.

Modules:

- ``auxiliary_files``: Auxiliary files of a runtime: what it loads beside the bundle, and what could change what is
  computed.
- ``clip_step``: Recurrent step of a bundle on the CPU: LiteRT by XNNPACK, in the frame process; proven by its golden
  sequence.
- ``external_delegate``: External TFLite delegates: a shared library that computes a part of the graph on hardware of
  its own.
- ``isolated``: Isolated runtime: any runtime in a child process, which can be killed when it hangs without losing this
  process.
- ``isolated_child``: Child process of an isolated runtime: loads one runtime, then computes each tensor that the parent
  submits.
- ``litert``: ``litert://``: LiteRT interpreter on the CPU by XNNPACK, in this process.
- ``litert_compiled``: LiteRT's ``CompiledModel``: the whole model compiled for one kind of hardware (CPU, GPU, NPU), in
  this process.
- ``litert_gpu``: ``litert-gpu://``: LiteRT on a GPU, by WebGPU over Vulkan: Raspberry Pi 5, Jetson, Intel and AMD
  carts.
- ``litert_npu``: ``litert-npu://``: LiteRT on a neural processor, by its vendor's plugin.
- ``model_loading``: Checks shared by all runtimes that load a model: is there one, does it match the manifest and the
  tensor.
- ``onnx``: ``onnx://``: ONNX Runtime in this process, on the CPU or by an execution provider.
- ``onnx_placement``: Delegate placement in an ONNX graph: which nodes an execution provider took, and their
  multiply-accumulates.
- ``options_without_files``: Options of runtimes that are known to name no file: all that a device takes which takes
  signed models alone.
- ``scripted``: ``scripted://``: fake runtime that computes nothing and answers `finding` on every frame, numbered.
- ``shared_memory``: Shared memory for tensors between a runtime's parent and child: slots of an input tensor and its
  outputs.
- ``tflite``: ``tflite-runtime://?threads=N``: TFLite's interpreter before LiteRT, for boards with delegates built
  against it.
- ``tflite_interpreter``: TFLite interpreter in this process, with external delegates: what LiteRT and tflite-runtime
  have in common.
- ``tflite_placement``: Delegate placement in a TFLite interpreter: asks LiteRT or tflite-runtime which operators its
  delegates took.
"""
