# Two commands matter: `make serve` (DOCS=path for your own documents) and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
DOCS ?=
HOST ?= 127.0.0.1
PORT ?= $(or $(PASSERINE_PORT),8000)
DATA ?= ../shared/data
EXTRA := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)

.PHONY: help serve test lint evaluate picture constraints clean

help:
	@echo 'make serve            install, build the index of the example documents, serve on http://$(HOST):$(PORT)'
	@echo 'make serve DOCS=path  the same with your own documents'
	@echo 'make test             everything that is checked: style, types, tests'
	@echo 'make picture          the pictures of the page in docs/, made anew'
	@echo 'make evaluate         quality and speed, with the data in DATA=$(DATA)'

serve: $(VENV)/.installed
	@$(BIN)/passerine models install --all
	@$(BIN)/passerine serve --host $(HOST) --port $(PORT) $(if $(DOCS),--docs "$(DOCS)")

test: lint
	@$(BIN)/passerine models install --all
	@$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

evaluate: $(VENV)/.installed-dev
	@for part in retrieval answers judges speed; do $(BIN)/passerine evaluate $$part --data "$(DATA)"; done

$(VENV)/bin/python:
	@bash .ci/venv $(VENV)

# The torch build is chosen first: an unpinned torch on Linux brings gigabytes of CUDA that a laptop cannot use.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo 'Installing Passerine ($(EXTRA)) ...'
	@$(PIP) install --quiet --upgrade 'pip>=25.1'
	@$(PIP) install --progress-bar on $$(bash .ci/torch-index $(EXTRA)) -c constraints.txt torch
	@$(PIP) install --progress-bar on -c constraints.txt -e '.[$(EXTRA)]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(PIP) install --quiet -c constraints.txt -e '.[$(EXTRA),dev,cluster]'
	@bash .ci/browser
	@touch $@

picture: $(VENV)/.installed-dev
	@$(BIN)/passerine models install --all
	@$(BIN)/python -m tests.picture docs

# Writes the pins anew from what this environment holds; run it after a range in pyproject.toml has moved.
constraints: $(VENV)/.installed-dev
	@bash .ci/pin $(BIN)/python > constraints.txt.new && mv constraints.txt.new constraints.txt

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
