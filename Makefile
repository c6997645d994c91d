# All that is done with this repository: `make help` lists it.
# Nothing has to be installed beforehand but make and, where there is no root, Python 3.11 or later.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup test lint types docs demo bench soak clean

BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
PLUGINS := $(wildcard plugins/*/pyproject.toml examples/*/pyproject.toml)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 8

setup: $(INSTALLED_DEV) ## Make the virtual environment .venv with all that development needs

test: $(INSTALLED_DEV) lint types docs ## Everything that must pass: lint, types, docs and all tests
	scripts/system-packages test
	$(BIN)/pytest --numprocesses=2 --dist=loadfile

lint: $(INSTALLED_DEV) ## Style, formatting and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED_DEV) ## Types, strictly
	$(BIN)/mypy

docs: $(INSTALLED_DEV) ## Build the documentation into docs/_build/html; warnings are errors
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

demo: $(INSTALLED) ## See it work: a simulated microscope and a session, without data of your own
	$(BIN)/eucentric demo

bench: $(INSTALLED_DEV) ## Run all benchmarks but the soak test
	@for script in $(filter-out %/soak.py,$(shell grep -l __main__ benchmarks/*.py)); do \
	  echo "== $$script"; $(BIN)/python $$script || exit; done

soak: $(INSTALLED_DEV) ## Run a session for long, under load
	$(BIN)/python benchmarks/soak.py

clean: ## Remove what was built, the virtual environment too
	rm -rf .venv docs/_build build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	scripts/system-packages python
	"$$(scripts/find-python --complete)" -m venv .venv

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(INSTALLED_DEV): $(INSTALLED) $(PLUGINS)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]' \
	  $(foreach plugin,$(PLUGINS),--editable $(dir $(plugin)))
	touch $@
