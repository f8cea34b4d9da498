# Every target makes what it needs; none but test-arm64 needs root. PYTHON=python3.12 chooses another Python (>= 3.10 with venv).
PYTHON ?= python3
PYTHON311 ?= python3.11
INPUT  ?=
OUT    ?= demo-out
PIP    := -m pip --disable-pip-version-check --quiet
# What is installed is what its lock names, each file by its hash, build tools included; nothing is compiled.
LOCKED := $(PIP) install --require-hashes --only-binary :all: --requirement
OURS   := $(PIP) install --no-deps --no-build-isolation --force-reinstall
TEST_VENV ?= .venv-test
SOURCES := $(shell find edge -type f -not -name '*.pyc') pyproject.toml

.PHONY: help map demo demo-live test test-wheel test-phantom test-fast test-small test-pythons torture full-disk power-cuts simulate peers check format schemas lock lock-check licences clean footprint live live-camera demo-organ test-arm64 test-mediapipe test-tflite-runtime test-accelerators test-training train-phantom kernel-camera scan-area millimetres gate cines video view

help: ## Show this help.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

# --- see it work -----------------------------------------------------------------------------------------------------
.venv/installed: locks/demo.txt $(SOURCES)
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "error: $(PYTHON) is not Python 3.10 or newer with venv"; echo "hint: apt install python3-venv, or make PYTHON=python3.12 $@"; exit 5; }
	@echo "Setting up .venv: about 110 MB to download, 360 MB on disk; a minute or two, once."
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python $(LOCKED) locks/demo.txt
	@.venv/bin/python $(OURS) .
	@touch $@

demo: .venv/installed ## See it work: phantom and real clip to a broker; INPUT=path for your own, OUT=folder.
	@.venv/bin/edge-cli demo --config firmware_configs/developer.toml --out '$(OUT)' $(if $(INPUT),--input '$(INPUT)')

demo-live: .venv/installed ## See a live camera lost and found: ffmpeg plays a phantom; half a minute, needs ffmpeg. ARGS="--hold 10".
	@.venv/bin/edge-cli demo-live --out '$(OUT)' $(ARGS)

# --- test ------------------------------------------------------------------------------------------------------------
# The wheel is what users get, so the wheel is what is tested: never the tree.
$(TEST_VENV)/installed: locks/test.txt $(SOURCES)
	@test -x $(TEST_VENV)/bin/python || $(PYTHON) -m venv $(TEST_VENV)
	@rm -rf build dist
	@$(TEST_VENV)/bin/python $(LOCKED) locks/test.txt
	@$(TEST_VENV)/bin/python $(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@$(TEST_VENV)/bin/python $(OURS) dist/*.whl
	@touch $@

PHANTOM_TESTS = tests/training/test_phantom.py tests/training/test_ten_phantoms.py tests/training/test_network.py tests/training/test_views.py tests/training/test_clip_run.py tests/training/test_gan.py
PYTEST = PYTHONSAFEPATH=1 SONOEDGE_TESTS_WHEEL=1 $(TEST_VENV)/bin/pytest

test: test-wheel test-phantom ## All tests: of the built wheel, with a real mosquitto where there is one; of a phantom's training.

test-wheel: .venv-test/installed ## The tests of the built wheel alone.
	$(PYTEST) -n 2 --dist loadfile -m "not opt_in" $(ARGS)

FAST = -n 2 --dist loadfile -m "not broker and not data and not slow and not opt_in"
test-fast: $(TEST_VENV)/installed ## Only the tests that need no broker, no data sets and little time; three minutes.
	$(PYTEST) $(FAST) $(ARGS)

# Where a Python's version shows: SQLite, processes, sockets, JSON, files and what is installed.
SMALL_TESTS = tests/config tests/contracts tests/daemon tests/outbox tests/process tests/sinks tests/wheel
test-small: $(TEST_VENV)/installed ## Of the fast tests those that another Python is likely to break; a minute.
	$(PYTEST) $(FAST) $(SMALL_TESTS) $(ARGS)

# Each interpreter has an environment of its own. TIER=test-small runs less; PYTHONS="python3.10 python3.13" chooses.
TIER    ?= test-fast
PYTHONS ?= $(shell $(PYTHON) tools/pythons.py)
test-pythons: ## The fast tests on every Python from 3.10 on that is on PATH or pyenv's, and has venv. TIER=test-small for less.
	@test -n '$(PYTHONS)' || echo 'no other Python to test with'
	@for python in $(PYTHONS); do \
	  echo "== $(TIER) on $$($$python --version)"; \
	  $(MAKE) --no-print-directory $(TIER) PYTHON=$$python TEST_VENV=.venv-test-$$(basename $$python) || exit; \
	done

# Training is a workstation's business: TensorFlow, 2 GB, stays out of the environment that the wheel is tested in.
.venv-training/installed: locks/training.txt $(SOURCES)
	@test -x .venv-training/bin/python || $(PYTHON) -m venv .venv-training
	@.venv-training/bin/python $(LOCKED) locks/training.txt
	@.venv-training/bin/python $(OURS) .
	@touch $@

test-phantom: .venv-training/installed ## Phantoms are rendered, learnt, exported, inferred; the networks and their views.
	PYTHONSAFEPATH=1 .venv-training/bin/pytest $(PHANTOM_TESTS)

test-training: .venv-training/installed ## The tests that need TensorFlow: train, resume, two workers, export, infer.
	PYTHONSAFEPATH=1 .venv-training/bin/pytest tests/training tests/export $(ARGS)

PHANTOM ?= runs/phantom
train-phantom: .venv-training/installed ## See training work: phantoms are rendered, learnt, exported, inferred; 3 minutes.
	.venv-training/bin/python -m training run --recipe phantom --out $(PHANTOM)
	.venv-training/bin/python -m export bundle $(PHANTOM) --out $(PHANTOM)/phantom.tflite
	.venv-training/bin/edge-cli infer $(PHANTOM)/unseen --model $(PHANTOM)/phantom.tflite --overlay $(PHANTOM)/overlay

# Without DATA (the folder of bus-bra/, busi/, clips/) of phantoms. The model's answers are kept in CINES.
CINES ?= runs/cines
cines: .venv-test/installed ## Tracks over seconds on made cines, against their goals; DATA=folder: held-out pictures (an hour, once).
	.venv-test/bin/python -m training cines --out $(CINES) $(if $(DATA),--data '$(DATA)') $(ARGS)

# RUN: folder of a cross-validation whose folds are quantised; DATA: the folder of bus-bra/ and busi/.
RUN   ?= runs/cv
VIDEO ?= runs/video
video: .venv-training/installed ## A recurrent network over frames against the rules: fit, decisions, cost. DATA=folder, RUN=folder (an hour, once).
	.venv-training/bin/python -m training video $(RUN) --data '$(DATA)' --cines $(CINES) --out $(VIDEO)
	.venv-training/bin/python -m training report $(RUN) --clips --cines $(CINES) --video $(VIDEO)
	.venv-training/bin/python -m export step $(VIDEO) --out $(VIDEO)/video.tflite --decides new --decides malignancy
	PYTHONPATH=$(CURDIR) .venv-training/bin/python -m benchmarks.clip_step $(VIDEO) $(VIDEO)/video.tflite

ORGAN ?= runs/ten-phantoms
demo-organ: .venv-training/installed .venv/installed ## Your own classes, without data: ten kinds of phantom trained, judged, run, on a broker; 2 minutes of processor time.
	.venv-training/bin/python -m training run --recipe ten-phantoms --out $(ORGAN)
	.venv-training/bin/python -m training report $(ORGAN) --out $(ORGAN)/report
	.venv-training/bin/python -m export bundle $(ORGAN) --out $(ORGAN)/model.tflite
	.venv/bin/edge-cli infer $(ORGAN)/unseen --model $(ORGAN)/model.tflite --allow-no-gate --overlay $(ORGAN)/overlay
	.venv/bin/python -m tools.labels_on_a_broker $(ORGAN)/unseen --model $(ORGAN)/model.tflite

torture: .venv-test/installed ## Ten minutes of fault injection; needs mosquitto. ARGS="--kills 500 --outages 100 --seed 1".
	.venv-test/bin/python benchmarks/torture.py $(ARGS)

full-disk: .venv-test/installed ## Ten minutes on a full disk with a backlog; needs mosquitto and root. SONOEDGE_FULL_DISK_MIN=1 for less.
	$(PYTEST) -s -m opt_in tests/faults/test_fault_harness.py $(ARGS)

power-cuts: .venv-test/installed ## 200 power cuts on a disk that forgets; needs mosquitto and FUSE. ARGS="--cuts 5 --lies 10".
	.venv-test/bin/python benchmarks/power_cuts.py $(ARGS)

kernel-camera: .venv-test/installed ## camera:// on the kernel's own test device, in a virtual machine without KVM; needs qemu-system-x86, busybox-static.
	$(PYTHON) tests/kernel_camera/virtual_machine.py .kernel-camera/out -- env PYTHONSAFEPATH=1 SONOEDGE_TESTS_WHEEL=1 \
	  .venv-test/bin/python -m pytest -p no:cacheprovider -q -m opt_in tests/kernel_camera $(ARGS)
	@cat .kernel-camera/out/figures.jsonl

gate: .venv-training/installed ## What the gate refuses, by class, with intervals; needs the scans (SONOEDGE_DATA) and ffmpeg. ARGS="--only freezes".
	.venv-training/bin/python benchmarks/gate.py $(ARGS)

scan-area: .venv-test/installed ## How well scans are found on rendered and real screens, and what a frame costs. ARGS="--out FOLDER" draws the real ones.
	PYTHONPATH=$(CURDIR) .venv-test/bin/python -m benchmarks.scan_area $(ARGS)

millimetres: .venv-test/installed ## How far long axes are off, and what their uncertainty holds: ARGS="--run FOLDER" of a cross-validation.
	PYTHONPATH=$(CURDIR) .venv-test/bin/python -m benchmarks.millimetres $(ARGS)

simulate: .venv-test/installed ## Seeded schedules of faults, simulated, as many as you like. ARGS="--schedules 1000000 --seed 1", --replay SEED.
	.venv-test/bin/python benchmarks/simulate_schedules.py $(ARGS)

# Peers and older runtimes need other versions of numpy: each has an environment of its own.
.venv-mediapipe/installed:
	$(PYTHON311) -m venv .venv-mediapipe
	.venv-mediapipe/bin/python $(PIP) install mediapipe==0.10.21
	@touch $@

test-mediapipe: .venv-test/installed .venv-mediapipe/installed ## MediaPipe reads the shipped bundle and says the same; its own network is adopted; PYTHON311=python3.11.
	SONOEDGE_MEDIAPIPE_PYTHON=$(CURDIR)/.venv-mediapipe/bin/python $(PYTEST) tests/export/test_mediapipe.py tests/adopt/test_selfie_segmentation.py $(ARGS)

.venv-tflite-runtime/installed: pyproject.toml $(SOURCES)
	@test -x .venv-tflite-runtime/bin/python || $(PYTHON311) -m venv .venv-tflite-runtime
	@.venv-tflite-runtime/bin/python $(PIP) install '.[tflite,demo,dev]'
	@.venv-tflite-runtime/bin/python $(PIP) install --no-deps --force-reinstall .
	@touch $@

test-tflite-runtime: .venv-test/installed .venv-tflite-runtime/installed ## tflite-runtime runs the shipped bundle; PYTHON311=python3.11.
	SONOEDGE_TFLITE_RUNTIME_PYTHON=$(CURDIR)/.venv-tflite-runtime/bin/python $(PYTEST) tests/export/test_other_runtimes.py $(ARGS)
	PYTHONSAFEPATH=1 .venv-tflite-runtime/bin/pytest tests/runtimes $(ARGS)

# ONNX Runtime, and OpenVINO behind LiteRT's NPU plugin. The ONNX file is written where TensorFlow is.
.venv-accelerators/installed: pyproject.toml $(SOURCES)
	@test -x .venv-accelerators/bin/python || $(PYTHON311) -m venv .venv-accelerators
	@.venv-accelerators/bin/python $(PIP) install '.[onnx,npu-intel,demo,dev]'
	@.venv-accelerators/bin/python $(PIP) install --no-deps --force-reinstall .
	@touch $@

ONNX ?= runs/breast.onnx
runs/breast.onnx: edge/models/data/breast.tflite | .venv-training/installed
	@mkdir -p runs
	.venv-training/bin/python -m export onnx $< --out $@

test-accelerators: .venv-accelerators/installed $(ONNX) ## The runtimes' tests with ONNX Runtime and OpenVINO; apt install chromium for the GPU.
	SONOEDGE_ONNX=$(abspath $(ONNX)) SONOEDGE_SWIFTSHADER=1 PYTHONSAFEPATH=1 .venv-accelerators/bin/pytest tests/runtimes $(ARGS)

# OpenVINO, ONNX Runtime and pydicom with Pillow, whose decoder ours is compared with.
.venv-peers/installed:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python $(PIP) install 'openvino>=2025.0' 'onnxruntime>=1.22' 'opencv-python-headless>=4.11' 'pydicom>=3.0.1' 'pillow>=11'
	@touch $@

.venv-tflite-runtime/resizes: .venv-tflite-runtime/installed
	.venv-tflite-runtime/bin/python $(PIP) install 'opencv-python-headless>=4.11,<4.12' 'numpy<2'
	@touch $@

# TensorFlow converts the model for ONNX Runtime, once. TRAINING names another Python that has the extras training and export.
ifdef TRAINING
.venv-peers/model.onnx: edge/models/data/breast.tflite .venv-peers/installed
	PYTHONPATH=$(CURDIR) $(TRAINING) -m export onnx $< --out $@
else
.venv-peers/model.onnx: edge/models/data/breast.tflite .venv-peers/installed .venv-training/installed
	.venv-training/bin/python -m export onnx $< --out $@
endif

peers: .venv-test/installed .venv-mediapipe/installed .venv-tflite-runtime/resizes .venv-peers/model.onnx ## sonoedge beside its peers: 12 quiet minutes, writes docs/peers.*; PYTHON311=python3.11. ARGS="--quick".
	.venv-test/bin/python benchmarks/peers.py --json docs/peers.json $(ARGS)
	.venv-test/bin/python benchmarks/streams.py --json docs/peers.json $(ARGS)
	.venv-test/bin/python benchmarks/jpeg_cine.py --json docs/peers.json $(ARGS)
	.venv-test/bin/python benchmarks/peers_report.py docs/peers.json --out docs

test-arm64: .venv-test/installed ## The wheel on four Arm cores under qemu, byte for byte; needs root, debootstrap, qemu-user-static.
	.venv-test/bin/python benchmarks/arm64.py $(ARGS)

# The page in a real browser: Debian's chromium, Playwright to drive it, axe-core by npm. Screenshots in .view/screenshots.
.venv-view/installed: pyproject.toml $(SOURCES)
	@test -x .venv-view/bin/python || $(PYTHON) -m venv .venv-view
	@.venv-view/bin/python $(PIP) install --constraint constraints.txt playwright '.[viewer,dev]'
	@.venv-view/bin/python $(OURS) .
	@touch $@

.view/node_modules/axe-core/axe.min.js:
	npm install --silent --prefix .view axe-core

view: .venv-view/installed .view/node_modules/axe-core/axe.min.js ## The page in Chromium: every state in three sizes, every button three ways, axe-core; needs chromium, npm, a Chinese font.
	PYTHONSAFEPATH=1 .venv-view/bin/pytest -m opt_in tests/view_browser $(ARGS)

live: .venv-test/installed ## Live sources against real servers: age of pictures, losses, 100 faults a kind, cost. ARGS="--kinds http".
	.venv-test/bin/python benchmarks/live.py $(ARGS)

live-camera: .venv-test/installed ## The same for camera://, on the kernel's test device in a virtual machine. Needs what kernel-camera needs.
	$(PYTHON) tests/kernel_camera/virtual_machine.py .kernel-camera/out -- env PYTHONSAFEPATH=1 \
	  .venv-test/bin/python benchmarks/live.py --kinds camera --no-cost --json /media/live-camera.json --seconds 10 --faults 9 $(ARGS)
	@cat .kernel-camera/out/live-camera.json

footprint: .venv-test/installed ## What the base install weighs, by package, on x86-64 and aarch64.
	.venv-test/bin/python benchmarks/footprint.py $(ARGS)

check: .venv-test/installed ## Format, lint, types, layers, sizes and names, generated files.
	.venv-test/bin/ruff format --check .
	.venv-test/bin/ruff check .
	.venv-test/bin/mypy
	.venv-test/bin/lint-imports
	.venv-test/bin/edge-cli schema --check
	.venv-test/bin/python -m tools.structure_rules
	.venv-test/bin/python -m tools.code_map --check

# --- keep ------------------------------------------------------------------------------------------------------------
format: .venv-test/installed ## Format the code.
	.venv-test/bin/ruff format .
	.venv-test/bin/ruff check --fix .

map: .venv-test/installed ## Write docs/map.md and the module lists of packages anew from docstrings.
	.venv-test/bin/python -m tools.code_map

schemas: .venv-test/installed ## Write schemas/ anew from the message types.
	.venv-test/bin/edge-cli schema --out schemas

.venv-lock/bin/uv:
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python $(PIP) install uv

# constraints.txt says which versions; each lock adds what one environment needs of it, and the hashes of all its wheels.
COMPILE = .venv-lock/bin/uv pip compile pyproject.toml --universal --python-version 3.10 --no-annotate --no-header \
	  --no-emit-index-url --no-emit-find-links --quiet
HASHED  = $(COMPILE) locks/build.in --constraint constraints.txt --generate-hashes --only-binary :all:
lock: .venv-lock/bin/uv ## Write constraints.txt and locks/ anew: the newest versions that all of pyproject.toml allows.
	$(COMPILE) --extra demo --extra dicom --extra benchmark --extra fleet --extra viewer --extra dev --upgrade --output-file constraints.txt
	$(HASHED) --extra demo --extra viewer --output-file locks/demo.txt
	$(HASHED) --extra demo --extra dicom --extra benchmark --extra viewer --extra dev --output-file locks/test.txt
	$(HASHED) --extra training --extra tensorboard --extra export --extra dicom --extra dev --upgrade --output-file locks/training.txt

lock-check: .venv-lock/bin/uv ## Whether the index has every wheel of the locks, for Python 3.10 to 3.13 on x86-64 and aarch64.
	@for lock in demo test training; do for python in 3.10 3.11 3.12 3.13; do for machine in x86_64 aarch64; do \
	  echo "$$lock $$python $$machine"; \
	  .venv-lock/bin/uv pip install --no-config --dry-run --quiet --no-deps --require-hashes --only-binary :all: --target .venv-lock/none \
	    --python-version $$python --python-platform $$machine-manylinux_2_36 --requirement locks/$$lock.txt || exit; \
	done; done; done

licences: .venv-test/installed ## Licences of what is installed, copyleft first, and of what wheels bring along.
	.venv-test/bin/python -m tools.licences

clean: ## Remove what these targets made.
	rm -rf .view .venv-view .kernel-camera .arm64-root .venv .venv-test .venv-test-* .venv-mediapipe .venv-peers .venv-tflite-runtime .venv-accelerators .venv-lock build dist demo-out *.egg-info .venv-training
