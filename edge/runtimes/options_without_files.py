"""Options of runtimes that are known to name no file: all that a device takes which takes signed models alone.

An allow-list: which option of which provider reads a file cannot be told from its name, nor from its value (a relative
path is a word like others). What is not listed here is refused there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge.contracts.errors import ModelError

if TYPE_CHECKING:
    from edge.config.uri import Uri

OPTION = "opt."
"""How options of a provider or delegate begin in a runtime's URI."""
OWN_PARAMETERS = {
    "litert": {"threads"},
    "tflite-runtime": {"threads"},
    "litert-gpu": {"precision"},
    "litert-npu": {"device"},
    "onnx": {"provider", "threads", "partial"},
    "auto": {"trial_s", "among", "threads"},
}
"""Scheme of a runtime -> its own parameters that name no file; of a plugin's runtime, `_OF_OTHERS`."""
_OF_OTHERS = {"threads", "precision", "device"}
PROVIDER_OPTIONS = frozenset(
    {"device", "device_id", "device_type", "num_threads", "num_of_threads", "number_of_threads", "precision"}
    | {"intra_op_num_threads", "num_streams", "enable_fast_math", "reduce_fp32_to_fp16", "backends"}
    | {"gpu_mem_limit", "arena_extend_strategy", "cudnn_conv_algo_search", "use_tf32", "do_copy_in_default_stream"}
    | {"trt_fp16_enable", "trt_max_workspace_size", "trt_min_subgraph_size", "trt_max_partition_iterations"}
    | {"trt_dla_enable", "trt_dla_core", "trt_builder_optimization_level"}
    | {"htp_performance_mode", "htp_graph_finalization_optimization_mode", "htp_arch", "soc_model", "vtcm_mb"}
    | {"enable_htp_fp16_precision"}
)
"""Options of ONNX Runtime's providers (CUDA, TensorRT, OpenVINO, QNN, XNNPACK) and of delegates (Edge TPU, Arm NN) that
are a number, a switch or the name of a device; of Arm NN's also with hyphens."""
_WORD = re.compile(r"[A-Za-z0-9_.,:+-]{0,64}")
_DEVICE_NODE = re.compile(r"/dev/[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


def expect_no_files(uri: Uri, verified: set[str]) -> None:
    """Raise `ModelError` for a parameter of ``uri`` that may name a file which nothing vouches for.

    ``verified``: the parameters whose files are verified, and those that pin them.
    """
    own = OWN_PARAMETERS.get(uri.scheme, _OF_OTHERS)
    for key, value in uri.params.items():
        if key in verified:
            continue
        option = key.removeprefix(OPTION).replace("-", "_")
        known = key in own or (key.startswith(OPTION) and option in PROVIDER_OPTIONS)
        if not known or not _names_no_file(option, value):
            raise ModelError(
                f"{uri.scheme}:// with {key}= may compute with a file that nobody signed",
                hint=f"leave {key}= out; with require_signed_model only options known to name no file are taken, and "
                f"files that are signed or pinned ({', '.join(sorted(verified)) or 'none here'})",
            )


def _names_no_file(option: str, value: str) -> bool:
    node = option == "device" and _DEVICE_NODE.fullmatch(value) is not None
    return node or _WORD.fullmatch(value) is not None
