# Every verb of this repository. `make help` lists them; each sets up .venv first when it has to.

PYTHON ?= python3
BIN    := .venv/bin
STAMP  := .venv/.complete

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint types arch pytest slow matrix image image-test format bench lock clean

help:  ## list these targets
	@awk -F ':.*##  *' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP)  ## deploy to simulated routers and watch: needs no router and no network once set up
	@$(BIN)/mtts lab demo

test: lint types arch pytest  ## all that must pass before a commit: lint, types, arch and pytest, in this order

lint: $(STAMP)  ## style, formatting and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

types: $(STAMP)  ## mypy, strict, on the program and its tests
	$(BIN)/mypy

arch: $(STAMP)  ## who may import whom
	$(BIN)/lint-imports

pytest: $(STAMP)  ## the tests alone
	$(BIN)/pytest -n 2 --dist worksteal

slow: $(STAMP)  ## every kill point and every version, which pytest only samples: some ten minutes
	$(BIN)/pytest -n 2 --dist worksteal -m "slow or not slow" tests/engine tests/faults

# FLAVOUR is default, serve or plain; what is made stays in build/image, which is git's to ignore.
FLAVOUR ?= default
image:  ## the router image for amd64, arm64 and arm/v7, without Docker (see image/build); FLAVOUR=serve or plain
	@image/build $(FLAVOUR)

image-test: $(STAMP)  ## build the image and run it: needs root, and minutes
	@image/build default
	$(BIN)/pytest -n 0 -m image tests/image

matrix: $(STAMP)  ## an update interrupted at each of its writes, and anything in any order: passed/total, an hour
	$(BIN)/pytest -n 2 --dist worksteal -m "slow or not slow" tests/matrix

format: $(STAMP)  ## repair what ruff can repair
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMP)  ## measure, side by side with what each figure is compared to (see bench/README.md)
	@set -e; for script in bench/*.py; do $(BIN)/python -m "bench.$$(basename "$$script" .py)"; done

# dev.txt holds everything, extras too, so that mypy sees their types; runtime.txt is resolved under it, so the two agree.
# LOCK_ARGS=--upgrade takes newer releases.
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: $(STAMP)  ## resolve requirements/*.txt anew from pyproject.toml
	$(BIN)/python -m pip install --quiet 'uv>=0.9'
	$(LOCK) $(LOCK_ARGS) --all-extras --group dev --output-file requirements/dev.txt
	$(LOCK) --constraint requirements/dev.txt --output-file requirements/runtime.txt

clean:  ## remove all that these targets made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find mtts tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mtts needs Python 3.11 or newer, and '$(PYTHON)' is not that: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv from requirements/dev.txt"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
