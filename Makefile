# Everything runs in the checkout's own environment, .venv; the first target that needs it makes it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

# Hundreds of processes start in the tests; each would compile all of the packages for itself.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint unit peers interop cover soak fuzz kill bench format clean

help: ## what there is to run
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.run: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "make: this needs Python 3.11 or later with venv (Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "setting up $(VENV), once: a minute or two ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing what the tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/.run ## the main job in under a minute: two meters, one head-end, in your terminal
	@$(BIN)/prepay-sim demo

test: $(VENV)/.dev ## what CI runs: style, types, layers and every test
	@$(MAKE) --no-print-directory --jobs=2 lint peers
	@$(MAKE) --no-print-directory unit

lint: $(VENV)/.dev ## ruff, mypy strict and the layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

unit: peers ## the tests, with other people's clients in environments of their own
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

peers: $(VENV)/.dev
	@$(BIN)/python -m tests.interop.environments

interop: peers ## only the matrix of other people's clients
	@$(BIN)/python -m pytest -m interop tests/interop

cover: $(VENV)/.dev ## which lines and branches the tests reach (without other people's clients)
	@$(BIN)/coverage run -m pytest -q -m "not interop"
	@$(BIN)/coverage report

soak: $(VENV)/.dev ## hypothesis for an hour or so: the same properties, many more examples
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist load --timeout 0 -m "not interop"

fuzz: $(VENV)/.dev ## hostile octets at the meter's ports, many more than in the tests
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest --timeout 0 tests/fuzz

kill: $(VENV)/.dev ## 5,000 top-ups on each store while everything is killed -9; broken off, it goes on
	@$(BIN)/python -m tests.kill --store sqlite
	@$(BIN)/python -m tests.kill --store postgresql

bench: $(VENV)/.dev ## measure, with the peers measured in the same run
	@$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-columns=min,median,max,ops

format: $(VENV)/.dev ## let ruff lay out the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove environments and caches
	rm -rf $(VENV) .peers .mypy_cache .ruff_cache .pytest_cache .hypothesis
