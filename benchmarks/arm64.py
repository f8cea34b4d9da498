"""Check on emulated Arm64: our wheel in an arm64 Debian under qemu computes what it computes on this machine.

    sudo make test-arm64
    sudo .venv-test/bin/python benchmarks/arm64.py --cpu cortex-a72 --data DATA/dicom --json arm64.json

Makes the Arm system in ``.arm64-root`` (git-ignored; delete it to begin anew), has both sides judge the same files, and
compares decoded pixels, tensors, outputs and answers for each Arm core. Only frames of clips may differ; anything else
is exit code 1. Then the control: with the lists of CPUs hidden, LiteRT computes without
XNNPACK, and the golden vectors must notice. Qemu tells nothing about speed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from arm.arm64_root import PYTHON, ArmRoot, cannot_run
from arm.compare_fingerprints import VIDEO, Comparison, compare_answers, compare_fingerprints, read_lines
from arm.cpus import BY_NAME, ArmCpu
from arm.pictures import ANSWERED, write_pictures

from edge.cli.errors import report
from edge.contracts.errors import DeviceError, EdgeError

PROJECT = Path(__file__).parents[1]
FINGERPRINT = PROJECT / "tests/arm/fingerprint.py"
STEP = PROJECT / "tests/recurrent_step.tflite"
REFUSED = (4, 5)
"""Exit codes: of a model, of a runtime."""
UNANSWERED = 5
"""Of infer: some file could not be read; here as there."""


def log(text: str) -> None:
    """Print a line with the time of day before it."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def wheel_in(folder: Path) -> Path:
    """Newest built wheel in ``folder``. Raises `DeviceError` if there is none."""
    wheels = sorted(folder.glob("sonoedge-*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise DeviceError(f"there is no wheel in {folder}", hint="make .venv-test/installed builds one")
    return wheels[-1]


def require_success(done: subprocess.CompletedProcess[str], what: str, codes: tuple[int, ...] = (0,)) -> str:
    """Stdout of a finished process. Raises `DeviceError` for another exit code, with its last line on stderr."""
    if done.returncode not in codes:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DeviceError(
            f"{what}: exit code {done.returncode}: {last}", hint="the lines above say what was being done"
        )
    return done.stdout


def infer(pictures: Path) -> list[str]:
    """The command line that answers for the files of ``pictures`` that are to be answered for."""
    names = sorted(path.name for pattern in ANSWERED for path in pictures.glob(pattern))
    return ["infer", "--json", *names]


def here(pictures: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Compute fingerprints and answers on this machine."""

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *command], cwd=pictures, text=True, capture_output=True, check=False)

    prints = read_lines(require_success(run(str(FINGERPRINT), "."), "fingerprints here"))
    inferred = run("-m", "edge.cli.main", *infer(pictures))
    return prints, read_lines(require_success(inferred, "edge-cli infer here", (0, UNANSWERED)))


def commands(root: ArmRoot, cpu: ArmCpu) -> dict[str, dict[str, Any]]:
    """Run the commands that need no pictures there, and return what they print. Raises `DeviceError` if one fails."""
    outputs = {}
    for words in (["--help"], ["--version"], ["model", "verify"], ["doctor"]):
        name = " ".join(words)
        log(f"{cpu.name}: edge-cli {name}")
        done = root.run(cpu, ["edge-cli", *words])
        # doctor may miss things in a bare root, and say so by its exit code: only falling over is wrong.
        codes = (0, 3, 4, 5, 6) if name == "doctor" else (0,)
        lines = require_success(done, f"edge-cli {name} on {cpu.name}", codes).strip().splitlines()
        outputs[name] = {"exit_code": done.returncode, "lines": lines}
    return outputs


def on_arm(root: ArmRoot, cpu: ArmCpu, reference: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> dict[str, Any]:
    """Compute fingerprints and answers on one emulated core, compared with ``reference``."""
    log(f"{cpu.name}: pixels, tensors, outputs, golden vectors")
    done = root.run(cpu, [PYTHON, "/fingerprint.py", "."], folder="pictures")
    theirs = read_lines(require_success(done, f"fingerprints on {cpu.name}"))
    log(f"{cpu.name}: edge-cli infer")
    done = root.run(cpu, ["edge-cli", *infer(root.path / "pictures")], folder="pictures")
    answers = read_lines(require_success(done, f"edge-cli infer on {cpu.name}", (0, UNANSWERED)))
    prints = compare_fingerprints(reference[0], theirs)
    words = compare_answers(reference[1], answers, prints.decoded_otherwise)
    golden = [problem for problems in theirs[0]["golden"].values() for problem in problems]
    log(f"{cpu.name}: {prints.line('output')} outputs equal, {words.line('answer')} answers")
    result = {"cpu": cpu.name, "boards": cpu.boards, "machine": theirs[0], "fingerprints": prints, "answers": words}
    return {**result, "golden": golden, "sound": prints.sound and words.sound and not golden}


def control(root: ArmRoot, cpu: ArmCpu) -> dict[str, Any]:
    """Control run without XNNPACK: other kernels must be noticed.

    `edge-cli model verify` refuses the model, or the runtime is refused before.
    """
    log(f"{cpu.name}: the control, without XNNPACK")
    done = root.run(cpu, ["edge-cli", "model", "verify"], listed=False)
    error = next((line for line in done.stderr.splitlines() if line.startswith("error: ")), "")
    return {"exit_code": done.returncode, "error": error, "noticed": done.returncode in REFUSED and bool(error)}


def table(results: list[dict[str, Any]]) -> str:
    """Markdown table of all cores, for people."""
    head = ["core", "as in", "pictures", "frames of clips", "tensors", "outputs", "answers of infer", "golden vectors"]
    rows = [head, ["---"] * len(head)]
    for each in results:
        prints: Comparison = each["fingerprints"]
        counts = [prints.line(kind) for kind in ("pixels", VIDEO, "tensor", "output")] + [
            each["answers"].line("answer")
        ]
        golden = f"{len(each['golden'])} differ" if each["golden"] else f"all {each['machine']['golden_cases']}"
        rows.append([each["cpu"], each["boards"], *counts, golden])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def compare(root: ArmRoot, cpus: list[ArmCpu], data: Path | None) -> dict[str, Any]:
    """Compare this machine with all emulated cores, and run the control."""
    pictures = root.path / "pictures"
    names = write_pictures(pictures, data)
    shutil.copyfile(FINGERPRINT, root.path / "fingerprint.py")
    shutil.copyfile(STEP, root.path / STEP.name)
    log(f"{len(names)} files; this machine first")
    reference = here(pictures)
    said = commands(root, cpus[0])
    cores = [on_arm(root, cpu, reference) for cpu in cpus]
    without = control(root, cpus[0])
    sound = without["noticed"] and all(core["sound"] for core in cores)
    return {
        "sound": sound,
        "files": len(names),
        "here": reference[0][0],
        "commands": said,
        "cores": cores,
        "control": without,
    }


def show(result: dict[str, Any]) -> None:
    """Print the results of the comparison, for people."""
    machine = result["here"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    print(f"\n{result['files']} files; against {machine['machine']}, Python {machine['python']}, {versions}\n")
    print(table(result["cores"]))
    print()
    for name, told in result["commands"].items():
        about = [line.strip() for line in told["lines"] if "litert://?" in line] if name == "doctor" else []
        print(f"edge-cli {name}: exit code {told['exit_code']}: {'; '.join([*about, told['lines'][-1]])}")
    for core in result["cores"]:
        different = [*core["golden"], *core["fingerprints"].examples, *core["answers"].examples]
        for line in different[:20]:
            print(f"different on {core['cpu']}: {line}")
    without = result["control"]
    verdict = "noticed" if without["noticed"] else "NOT NOTICED, so this proves nothing"
    print(f"the control, without XNNPACK: {verdict}: exit code {without['exit_code']}, {without['error']}")
    print("sound: nothing differs but frames of clips" if result["sound"] else "NOT SOUND")


def main() -> int:
    """Build the Arm system, compare, and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="append", choices=sorted(BY_NAME), help="default: all of them")
    parser.add_argument("--data", type=Path, help="a folder of more files, for example real DICOM")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".arm64-root", help="where the Arm system is kept")
    parser.add_argument("--wheel", type=Path, help="default: the newest in dist/")
    parser.add_argument("--mirror", help="of Debian with arm64; default: the one that apt uses here")
    parser.add_argument("--json", type=Path, help="write what came out here")
    options = parser.parse_args()
    cpus = [BY_NAME[name] for name in options.cpu or BY_NAME]
    root = ArmRoot(options.folder, log)
    try:
        lacking = cannot_run()
        if lacking is not None:
            raise lacking
        with root.locked():
            root.build(options.wheel or wheel_in(PROJECT / "dist"), PROJECT / "constraints.txt", options.mirror)
            result = compare(root, cpus, options.data)
    except (EdgeError, KeyboardInterrupt) as error:
        return report(error)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2, default=Comparison.as_json) + "\n")
    return 0 if result["sound"] else 1


if __name__ == "__main__":
    sys.exit(main())
