# `make` lists the targets.  What CI runs is what these targets run.
PYTHON ?= python3
VENV   ?= .venv
DATA   ?= data/demo
RUNS   ?= runs/demo
TABLE  ?= str_grid
PROFILE ?= smoke
SEEDS  ?= 1
SOAK   ?= 45
TORCH  ?= 2.13.0
CV2    := $(shell sed -n 's/.*"opencv-python==\([0-9.]*\)".*/\1/p' pyproject.toml)
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
DONE   := $(VENV)/.installed
CASES  ?= 20000
READERS ?=
BENCH  := OMP_NUM_THREADS=1 $(BIN)/python -m experiments.bench

.DEFAULT_GOAL := help
.PHONY: help install demo demo-data test test-kills test-slow bench-boxes bench-craft bench-data-prep bench-maps bench-metrics bench-pseudo-labels bench-read bench-render bench-str paper chromium-box slurm-box test-slurm soak soak-sweep bench-scale fuzz audit licences compat lint types format clean-demo

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(DONE)  ## make the environment (.venv) with everything in it

$(DONE): pyproject.toml
	@echo "installing into $(VENV) (one to three minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if nvidia-smi >/dev/null 2>&1; then \
	  echo "  torch $(TORCH) for the NVIDIA driver found here"; $(PIP) install -q torch==$(TORCH); \
	else \
	  echo "  torch $(TORCH) for the CPU"; \
	  $(PIP) install -q --retries 0 --timeout 20 --index-url https://download.pytorch.org/whl/cpu torch==$(TORCH) 2>/dev/null \
	  || $(PIP) install -q torch==$(TORCH); \
	fi
	@echo "  the project and what it needs"
	@$(PIP) install -q -e '.[train,render,dev]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	  echo "  the system has no libGL: keeping the headless OpenCV alone"; \
	  $(PIP) uninstall -q -y opencv-python; \
	  $(PIP) install -q --force-reinstall --no-deps opencv-python-headless==$(CV2); }
	@$(BIN)/python -c 'import cv2, torch, pytorch_lightning; print(f"  installed: torch {torch.__version__}, OpenCV {cv2.__version__}")'
	@touch $@

demo: $(DONE)  ## render data, train a detector and a recogniser, evaluate, read pictures, write a page (about 10 minutes)
	@$(BIN)/python -m experiments.demo --data $(DATA) --runs $(RUNS)

demo-data: $(DONE)  ## render the stand-ins for SynthText, ICDAR 2015 and MJSynth into data/demo and prepare them
	@$(BIN)/python -m experiments.demo --data $(DATA) --runs $(RUNS) --only data

test: $(DONE)  ## run the fast tests (under 5 minutes on two cores)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal

test-kills: $(DONE)  ## kill eight runs with SIGKILL again and again: they end bit-identical (KILLS=5 each; the long form has 40)
	@OMP_NUM_THREADS=1 $(BIN)/python tests/run/kills.py

test-slow: $(DONE)  ## run the tests that take minutes (at most 30)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slow -n 2 --dist worksteal

bench-boxes: $(DONE)  ## boxes, characters and directions from score maps against a pass over the whole map per component
	@$(BENCH).boxes

bench-craft: $(DONE)  ## the paper-size network in bf16 with the channels last against fp32, and the loss against a masked squared error
	@$(BENCH).craft

bench-data-prep: $(DONE)  ## words written a second by one core, and the memory that SynthText's index takes
	@$(BENCH).data_prep

bench-maps: $(DONE)  ## score maps against one warped patch per box
	@$(BENCH).maps

bench-metrics: $(DONE)  ## seconds in which each detection protocol scores 500 pictures on one core
	@$(BENCH).metrics

bench-pseudo-labels: $(DONE)  ## pseudo labels that reach the loss a second against one word at a time, and their share of a training step
	@$(BENCH).pseudo_labels

bench-read: $(DONE)  ## seconds to read a picture on one core and two, part by part, and memory for a large one (PAIR="DETECTOR RECOGNIZER")
	@$(BENCH).read $(PAIR)

bench-render: $(DONE)  ## rendered crops and scenes a second on one core in three languages, and a worker's memory
	@$(BENCH).render

bench-str: $(DONE)  ## attention decoding, CTC, training in bf16, reading words and label start-up, each against its plain form
	@$(BENCH).str

paper: $(DONE)  ## run a table of the papers and report it: TABLE=str_grid PROFILE=smoke SEEDS=1 (experiments/*/README.md)
	@$(BIN)/python -m experiments.run $(TABLE) --profile $(PROFILE) --seeds $(SEEDS); status=$$?; \
	$(BIN)/python -m experiments.report $(TABLE) --profile $(PROFILE) && exit $$status

chromium-box:  ## root, Debian: install headless Chromium, in which the tests open the page of a study
	@echo "apt-get install chromium: a browser of some 300 MB from the system's package source"
	@command -v chromium >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends chromium; }
	@chromium --version

slurm-box:  ## root, Debian: set SLURM up on this machine, for sweeps and for make test-slurm (says first what it will do)
	@sh experiments/slurm_box.sh

test-slurm: $(DONE)  ## run the tests that submit jobs to SLURM (after make slurm-box)
	@$(BIN)/python -c 'import submitit' 2>/dev/null || $(PIP) install -q -e '.[sweeps]'
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slurm

soak: $(DONE)  ## train for SOAK minutes (45) on one core, sample the memory each minute, and say whether it grows
	@OMP_NUM_THREADS=1 $(BIN)/python -m experiments.soak --minutes $(SOAK)

soak-sweep: $(DONE)  ## train 100 cells of the grid in one process and count the files and threads they leave
	@OMP_NUM_THREADS=1 $(BIN)/python -m experiments.soak_sweep

bench-scale: $(DONE)  ## open ten million labels, and train on them with 8 loader processes under a memory limit
	@$(BENCH).scale

fuzz: $(DONE)  ## 20,000 damaged and forged files for every reader of files from strangers (CASES=, READERS=)
	@OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/fuzz.py --cases $(CASES) $(READERS)

audit: $(DONE)  ## known vulnerabilities of what is installed; fails on a finding, says so when no advisory service answers
	@$(BIN)/python -c 'import pip_audit' 2>/dev/null || $(PIP) install -q -e '.[audit]'
	@$(BIN)/python -m experiments.dependencies audit

licences: $(DONE)  ## the licence of every installed library
	@$(BIN)/python -m experiments.dependencies licences

compat: $(DONE)  ## the lowest and the newest of each main dependency, and Python 3.12 and 3.13 without torch
	@$(BIN)/python -m experiments.compatibility

lint: $(DONE)  ## ruff: style and mistakes
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(DONE)  ## mypy on ocr/
	@$(BIN)/mypy

format: $(DONE)  ## let ruff rewrite what it can
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format .

clean-demo:  ## remove the demo's rendered data and runs (asks nothing else)
	rm -rf $(DATA) $(RUNS)
