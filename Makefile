# What a person types. Every target does all its own set-up: `make demo` works on a fresh machine.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || \
  command -v python3)
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
export DVC_SITE_CACHE_DIR ?= $(CURDIR)/.dvc/site-cache
STAMP := .venv/installed
PIP := pip install --quiet --disable-pip-version-check
# Tests run on all cores, on four at most, as a process may take 2 GB; those of a file stay together.
CORES := -n logical --maxprocesses 4 --dist loadfile

.PHONY: help install demo mirror test test-all test-slurm crashtest pythontest doctor lint bench ui clean \
  image-lint image-test

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## Create .venv with the pinned dependencies

$(STAMP): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo 'xstilts needs Python 3.11, 3.12 or 3.13. Mend: make install PYTHON=/path/to/one'; exit 2; }
	"$(PYTHON)" -m venv .venv
	@echo 'installing pinned dependencies into .venv (some minutes, about 3 GB) ...'
	@$(PIP) --require-hashes --no-deps -r docker/torch-cpu.lock 2>/dev/null || \
	  { echo 'no CPU build of torch at hand: taking the CUDA build'; \
	    $(PIP) --require-hashes --no-deps -r docker/torch-cuda.lock; }
	@$(PIP) --require-hashes --no-deps -r requirements.lock
	@$(PIP) --no-deps -e .
	@touch $(STAMP)

demo: install ## Run the demo study, 4 to 9 minutes on 2 cores; it must come out exact
	xstilts study use demo
	xstilts repro --jobs 2
	@xstilts scores
	@xstilts verify
	@xstilts where

mirror: install ## Run the study on real rows, from the mirror at XSTILTS_MIRROR
	xstilts study use mirror
	xstilts repro --jobs 2
	@xstilts scores
	@xstilts where

test: install ## Run the fast tests
	pytest $(CORES) -m 'not slow and not crash and not pythons and not slurm'

test-all: install ## Run all tests but those that kill
	pytest $(CORES) -m 'not crash and not pythons and not slurm'

test-slurm: install ## Run a small study on a SLURM of its own on this machine (Debian, as root)
	@command -v slurmctld >/dev/null || [ -x /usr/sbin/slurmctld ] || { apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null; }
	pytest -m slurm -s

crashtest: install ## Kill a small study at 26 moments; it must end with the same bytes (11 minutes)
	pytest -m crash -s

pythontest: install ## Run the small study under each Python that is here; the bytes must be equal
	pytest -m pythons

doctor: install ## Look at the machine and all places that the study in use needs
	xstilts doctor

lint: install ## Check style and types
	ruff check .
	ruff format --check .
	mypy

bench: install ## Compare speed and memory with transformers' Trainer (25 minutes; BENCH=--small: 3)
	python bench/speed.py $(BENCH)

ui: install ## Open the MLflow UI on the study in use
	xstilts ui

image-lint: ## Ask hadolint, Docker Compose, shellcheck and SkyPilot about docker/
	docker/lint.sh

image-test: ## Build the CPU image without Docker and run it read-only (as root on Debian; 15 GB)
	docker/image-test.sh $(WHEELS)

clean: ## Delete what runs made (.venv, the DVC cache and what is in git stay)
	rm -rf data models results/predictions report/*/ .state mlruns/mlflow.db mlruns/artifacts
