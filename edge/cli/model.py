"""``edge-cli model``: shows and verifies a model bundle; adopts models from elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli import model_adopt
from edge.cli.output import print_json, printable
from edge.cli.paths import DASH, one_of

if TYPE_CHECKING:
    from edge.pipeline.selftest import SelfTestReport
    from edge.process.sealed_file import SealedFile

app = typer.Typer(
    help="""Look into a model bundle, verify it, and make one of a model from elsewhere.

Example:
  edge-cli model info
  edge-cli model verify model.tflite
  edge-cli model adopt own.tflite --labels labels.txt --input-range 0..1 --out own.sono.tflite"""
)

app.command("adopt")(model_adopt.command)

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key", help="Public key (PEM) that must have signed it; several: one of them. Checked before anything else."
    ),
]
BundlePath = Annotated[Path | None, typer.Argument(help="A .tflite bundle; - for stdin; default: the one that ships.")]
ModelOption = Annotated[Path | None, typer.Option("--model", help="The same, as other commands take it.")]


@app.command()
def info(
    path: BundlePath = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: the manifest, and facts of the file.")] = False,
    key: Keys = None,
) -> None:
    """Show what a bundle, or a plain classifier, says of itself: figures, thresholds, data, limits.

    Example:
      edge-cli model info
      edge-cli model info model.tflite --json
    """
    import msgspec

    from edge.cli.model_description import describe, describe_plain
    from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
    from edge.models.bundle_file import OPTIONAL_LIMITS, seal_model
    from edge.models.classifier import is_classifier, load_classifier
    from edge.models.signature import SignaturePolicy, check_signature

    policy = SignaturePolicy(tuple(key or ()), required=bool(key))
    file = seal_model(_given(one_of(path, model, "--model")) or SHIPPED_BUNDLE)
    check_signature(file.origin, file.sha256, policy)
    if is_classifier(file):
        plain = load_classifier(file)
        facts = {"path": str(plain.path), "sha256": plain.sha256, "bytes": plain.size, "classifier": plain.card}
        text = msgspec.json.format(msgspec.json.encode(facts), indent=2).decode() if as_json else describe_plain(plain)
        print_json(text) if as_json else print(printable(text))
        return
    bundle = load_bundle(file, policy)
    if not as_json:
        print(printable(describe(bundle)))
        return
    facts = {
        "path": str(bundle.path),
        "sha256": bundle.sha256,
        "bytes": bundle.size,
        "golden_cases": len(bundle.golden),
        "optional_members": {
            name: {"bytes": size, "known": name in OPTIONAL_LIMITS} for name, size in bundle.optional.items()
        },
        "manifest": bundle.manifest,
    }
    print_json(msgspec.json.format(msgspec.json.encode(facts), indent=2).decode())


@app.command()
def verify(
    path: BundlePath = None,
    model: ModelOption = None,
    runtime: Annotated[str, typer.Option(help="URI of the runtime that must compute it.")] = "litert://?threads=1",
    key: Keys = None,
) -> None:
    """Check a bundle, and that this machine computes what the workstation measured.

    With --key first its signature, and those of all that the runtime loads beside it. Its structure, hashes and
    thresholds; then its golden vectors, replayed through preprocessing (equal to the bit) and the runtime (within the
    manifest's tolerance). Exit code 4 if anything differs.

    Example:
      edge-cli model verify
      edge-cli model verify model.tflite --runtime 'litert://?threads=2'
      edge-cli model verify model.tflite --key clinic.pub
    """
    from edge.contracts.errors import ModelError
    from edge.models.bundle import load_bundle
    from edge.models.delegate_placement import describe_placement
    from edge.models.signature import SignaturePolicy
    from edge.pipeline.selftest import run_selftest
    from edge.plugins import make_runtime
    from edge.runtimes.auxiliary_files import pin_files

    policy = SignaturePolicy(tuple(key or ()), required=bool(key))
    bundle = load_bundle(_given(one_of(path, model, "--model")), policy)
    print(printable(f"{bundle.path}: {bundle.manifest.name} {bundle.manifest.version}, sha256 {bundle.sha256}"))
    print("structure, hashes, thresholds: as the manifest says")
    if bundle.signer is not None:
        print(f"signed by the key {bundle.signer}")
    loaded = make_runtime(pin_files(runtime, bundle.path, policy), bundle.file, bundle.manifest)
    try:
        if loaded.spec.family == "scripted":
            raise ModelError("scripted:// computes nothing that could be verified", hint="name another --runtime")
        report = run_selftest(bundle, loaded)
        print(f"runtime: {loaded.spec.name} {loaded.spec.version}, {loaded.spec.family}")
        if loaded.spec.chosen is not None:
            print(f"auto: {loaded.spec.chosen}")
        placed = loaded.spec.placement
        print(f"delegated: {'not told' if placed is None else describe_placement(placed)}")
    finally:
        loaded.close()
    print(outcome(report))
    _require_ok(report)


def _require_ok(report: SelfTestReport) -> None:
    """Raise `ModelError` with the first problem, unless the golden vectors came out; the others go to stderr."""
    from edge.contracts.errors import ModelError

    if not report.ok:
        for problem in report.problems[1:]:
            print(problem, file=sys.stderr)
        raise ModelError(
            f"the golden vectors do not come out: {report.problems[0]}",
            hint="do not use this bundle with this runtime here; another runtime or a new export may mend it",
        )


def _given(path: Path | None) -> Path | SealedFile | None:
    """The file that is named; what comes on standard input for ``-``. Raises `UsageError` if that cannot be read."""
    from edge.contracts.errors import UsageError
    from edge.models.bundle_file import MAX_BUNDLE
    from edge.process.sealed_file import seal_bytes

    if path != DASH:
        return path
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal", hint="for example: edge-cli model info - < model.tflite")
    data = sys.stdin.buffer.read(MAX_BUNDLE + 1)
    if len(data) > MAX_BUNDLE:
        raise UsageError(f"over {MAX_BUNDLE >> 20} MB come on standard input", hint="a bundle is a few MB")
    return seal_bytes(data, DASH)


def outcome(report: SelfTestReport) -> str:
    """Text of what replaying the golden vectors showed, for people."""
    said = [f"{head} {steps} of {report.limits[head]}" for head, steps in report.worst.items()]
    said += [
        f"{head} {off:.2g} of {report.float_limits[head]:.2g} (absolute)" for head, off in report.float_worst.items()
    ]
    worst = ", ".join(said)
    verdict = "as measured" if report.ok else "NOT as measured"
    return (
        f"golden vectors: {report.cases} cases {verdict}; worst difference in steps, of those allowed: "
        f"{worst or 'nothing was compared'}"
    )
