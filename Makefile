# The commands of the course. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help lab test lint notebooks check-notebooks slides bundle records bench mutate lock data clean

VENV := .venv
BIN := $(VENV)/bin
# The first Python on this machine that the course can use; `make lab PYTHON=...` names another.
PYTHON ?= $(shell sh tools/find_python.sh)
# Extra words for pip, such as an index with CPU-only builds of PyTorch.
PIP_ARGS ?=
ARGS ?=
# Test processes with one thread each are faster than with threads that fight for the same cores.
ONE_THREAD := OMP_NUM_THREADS=1
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet $(PIP_ARGS)

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "make %-16s %s\n", $$1, $$2}'

lab: $(VENV)/.learner-ready  ## set up on the first call, then open the course in JupyterLab
	$(BIN)/python -m course_utils lab $(ARGS)

test: $(VENV)/.maintainer-ready  ## set up on the first call, then run every check and test
	$(MAKE) lint check-notebooks
	$(ONE_THREAD) $(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)
	$(ONE_THREAD) COURSE_PROFILE=quick $(BIN)/python -m pytest -n auto --dist loadfile --nbval \
		--nbval-current-env --nbval-sanitize-with=tests/nbval_sanitize.cfg notebooks solutions

lint: $(VENV)/.maintainer-ready  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

notebooks: $(VENV)/.maintainer-ready  ## build the notebooks whose source changed
	$(BIN)/python tools/build.py $(ARGS)

check-notebooks: $(VENV)/.maintainer-ready  ## fail if a built notebook is behind its source
	$(BIN)/python tools/build.py --check

slides: $(VENV)/.maintainer-ready  ## make slides of the lessons that need no network; ARGS=07_lenet for one
	$(BIN)/python tools/slides.py $(ARGS)

bundle: $(VENV)/.maintainer-ready  ## make an archive for laptops without a network; ARGS="--platform win_amd64"
	$(BIN)/python tools/bundle.py $(ARGS)

records: $(VENV)/.maintainer-ready  ## train the recorded runs that are missing; hours, resumable
	$(BIN)/python tools/record.py $(ARGS)

bench: $(VENV)/.bench-ready  ## measure our training beside other libraries'; a quiet machine, please
	$(BIN)/python benchmarks/training.py $(ARGS)

mutate: $(VENV)/.maintainer-ready  ## change the code and see whether a test notices; ARGS="course_utils.checks.*"
	$(ONE_THREAD) $(BIN)/mutmut run --max-children 2 $(ARGS)
	$(BIN)/mutmut results

data: $(VENV)/.maintainer-ready  ## rebuild the shipped pictures from the official files
	$(BIN)/python tools/make_embedded_data.py $(ARGS)

lock: $(VENV)/.maintainer-ready  ## solve requirements.lock anew; ARGS="--upgrade-package torch" moves a pin
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--no-annotate --no-header --no-emit-index-url --output-file requirements.lock $(ARGS)

clean:  ## remove the environment; data and notebooks stay
	rm -rf $(VENV)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "The course needs Python 3.11, 3.12 or 3.13, and none was found. Install one, or name it: make lab PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || { echo "The course needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -c 'import platform; print(platform.python_version())'). Name another: make lab PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) could not make an environment. On Debian and Ubuntu, 'apt-get install python3-venv' adds what it lacks." >&2; exit 1; }

# A stamp is younger than what it was made from: a second call installs nothing again.
$(VENV)/.learner-ready: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing the course (about 1 GB on a Mac, 5 GB on Linux with the GPU libraries) ..."
	$(PIP) --constraint requirements.lock --editable .
	@touch $@

$(VENV)/.maintainer-ready: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing the course and what its tests need ..."
	$(PIP) --constraint requirements.lock --editable '.[dev]'
	@touch $@ $(VENV)/.learner-ready

$(VENV)/.bench-ready: $(VENV)/.maintainer-ready
	$(PIP) --constraint requirements.lock --editable '.[bench]'
	@touch $@
