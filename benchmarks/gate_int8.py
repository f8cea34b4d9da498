"""Benchmark of a classifier's anatomy gate in 8 bits on organs that it never saw: a gate without each kind, quantised.

    python benchmarks/gate_int8.py runs/organ --data organ/ --gate-negatives other-organs/ --out gate-int8/

RUN is one of `python -m training run --gate-negatives`, --data and --gate-negatives are what it was made with. For each
kind of file a gate is fitted on all examples but that kind's, added to the run's network, quantised as `export bundle`
does (representative pictures: the run's training pictures, and negatives of the other kinds), and shown the kind's
frames. Its limit is chosen by the 8-bit scores of the run's validation pictures, as on a device. Minutes a kind; what
is done is kept in --out, and not done again. Intervals draw kinds, 95 %.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.manifest import ANATOMY
from edge.models.graph import read_graph
from edge.postprocess.dequantise import dequantise
from edge.preprocess.preprocessor import Preprocessor
from export.classifier_run import class_output, open_classifier_run
from export.converted_graph import order_outputs, own_buffers
from export.predict import run_graph
from export.quantisation.convert import head_names
from export.quantisation.full_integer import quantise
from export.thresholds import anatomy_limits
from training.classify import networks
from training.classify.gate_stage import KEPT
from training.classify.recipe import load_classifier_record
from training.classify.run import collect_pictures
from training.classify.saved_model import save_model
from training.evaluation.bootstrap import bootstrap
from training.gate.anatomy_gate import fit, without
from training.gate.examples import examples
from training.gate.file_negatives import from_folder
from training.gate.head import features, with_gate
from training.recipe import GateSection

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from export.classifier_run import ClassifierRun
    from training.gate.examples import GateExamples


def main() -> None:
    """Measure the kinds that are not measured yet, and print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--gate-negatives", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="kinds whose name holds one of these words; default: all")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    record, run = load_classifier_record(given.run), open_classifier_run(given.run)
    files = [n for n in from_folder(given.gate_negatives, print) if n.evaluated]
    kinds = sorted({n.family for n in files})
    chosen = [kind for kind in kinds if not given.only or any(word in kind for word in given.only)]
    print(f"{len(files)} frames of {len(kinds)} kinds: {', '.join(kinds)}", flush=True)
    todo = [kind for kind in chosen if not _place(given.out, kinds, kind).is_file()]
    if todo:
        pictures, classes = collect_pictures(record.recipe, given.data, given.out, print)
        learnt = examples(
            [p.load() for p in pictures if p.split == "train"],
            from_folder(given.gate_negatives, lambda _: None),
            record.recipe,
            breasts=False,
        )
        model = networks.build(record.recipe, len(classes))
        model.load_weights(given.run / "checkpoint" / "model.weights.h5")
        found, val = features(model, learnt.tensors), features(model, run.val.tensors)
        preprocess = Preprocessor(record.recipe.preprocess)
        for kind in todo:
            tensors = np.stack([preprocess(n.pixels, n.regions)[0][0] for n in files if n.family == kind])
            row = {"kind": kind, **_measure(model, found, val, learnt, kind, run, tensors, given.out)}
            _place(given.out, kinds, kind).write_text(json.dumps(row))
            print(row, flush=True)
    _tell([json.loads(p.read_text()) for k in chosen if (p := _place(given.out, kinds, k)).is_file()])


def _place(out: Path, kinds: list[str], kind: str) -> Path:
    return out / f"kind-{kinds.index(kind)}.json"


def _measure(
    model: keras.Model,
    found: dict[str, NDArray[Any]],
    val: dict[str, NDArray[Any]],
    learnt: GateExamples,
    kind: str,
    run: ClassifierRun,
    tensors: NDArray[np.uint8],
    out: Path,
) -> dict[str, Any]:
    """Frames of a kind, and how many pass a gate that never saw it: in floats, and in 8 bits."""
    options = GateSection()
    kept = without(learnt, kind)
    gate = fit(found, learnt, options, kept)
    logits = gate.logits(val)
    gate = gate.scaled(float(np.quantile(logits, options.refusals)), float(np.median(logits)))
    in_floats = gate.logits(features(model, tensors)) >= 0
    other = np.random.default_rng(1).permutation(np.flatnonzero((learnt.wanted == 0) & kept))[:KEPT]
    own = run.representative[: len(run.representative) - KEPT]  # the run's last ones are negatives of every kind
    save_model(with_gate(model, gate), out / "saved_model")
    graph = quantise(out / "saved_model", np.concatenate([own, learnt.tensors[other]]))
    heads = head_names(out / "saved_model")
    graph = own_buffers(order_outputs(graph, (class_output(heads), ANATOMY)))
    least = anatomy_limits(_scores(graph, run.val.tensors))["anatomy"]
    in_int8 = _scores(graph, tensors) >= least
    own_refused = float((_scores(graph, run.test.tensors) < least).mean())
    return {
        "frames": len(tensors),
        "passed_float": int(in_floats.sum()),
        "passed_int8": int(in_int8.sum()),
        "own_refused_int8": own_refused,
    }


def _scores(graph: bytes, tensors: NDArray[np.uint8]) -> NDArray[np.float64]:
    values = dequantise(run_graph(graph, tensors)[ANATOMY], read_graph(graph).outputs[ANATOMY])
    return np.asarray(values.reshape(-1), np.float64)


def _tell(rows: list[dict[str, Any]]) -> None:
    """Print the table, and the shares of all frames with their intervals."""
    for row in rows:
        print(
            f"{row['kind']:44} frames {row['frames']:4}  pass: float {row['passed_float']:4}  int8 "
            f"{row['passed_int8']:4}  own pictures refused {row['own_refused_int8']:.3f}"
        )
    groups = [row["kind"] for row in rows]
    frames = np.array([row["frames"] for row in rows])
    for name in ("passed_float", "passed_int8"):
        passed = np.array([row[name] for row in rows])

        def share(chosen: NDArray[np.int_], passed: NDArray[np.int_] = passed) -> float:
            return float(passed[chosen].sum() / frames[chosen].sum())

        low, high = bootstrap(groups, share)
        total = share(np.arange(len(rows)))
        print(f"{name:14} {passed.sum()} of {frames.sum()}: {total:.1%} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
