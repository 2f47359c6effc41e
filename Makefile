# The commands of the course. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help lab test lint notebooks check-notebooks slides site pdf bundle records bench mutate mutate-checks lock data clean

VENV := .venv
BIN := $(VENV)/bin
# The Python to use; by default the first on this machine that the course can use.
PYTHON ?=
# Extra words for pip, such as --index-url ADDRESS.
PIP_ARGS ?=
# The build of PyTorch, cpu or cuda; by default what suits the machine, see tools/install_torch.py.
TORCH ?=
export PIP_ARGS TORCH
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet $(PIP_ARGS)

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "make %-16s %s\n", $$1, $$2}'

lab: $(VENV)/.learner-ready  ## set up on the first call, then open the course in JupyterLab
	$(BIN)/python -m course_utils lab $(ARGS)

test: $(VENV)/.maintainer-ready  ## set up on the first call, then run every check and test
	@$(BIN)/python tools/check.py test $(ARGS)

lint: $(VENV)/.maintainer-ready  ## style, types and the direction of imports
	@$(BIN)/python tools/check.py lint

notebooks: $(VENV)/.maintainer-ready  ## build the notebooks whose source changed
	$(BIN)/python tools/build.py $(ARGS)

check-notebooks: $(VENV)/.maintainer-ready  ## fail if a built notebook is behind its source
	$(BIN)/python tools/build.py --check

slides: $(VENV)/.maintainer-ready  ## make slides of the lessons that need no network; ARGS=07_lenet for one
	$(BIN)/python tools/slides.py $(ARGS)

site: $(VENV)/.maintainer-ready  ## build the course's site, to read anywhere and without a network
	$(BIN)/python tools/website.py $(ARGS)

pdf: $(VENV)/.maintainer-ready  ## print the site's lessons as PDF; ARGS=07_lenet for one
	$(BIN)/python tools/website.py --pdf $(ARGS)

bundle: $(VENV)/.maintainer-ready  ## make an archive for laptops without a network; ARGS="--platform win_amd64"
	$(BIN)/python tools/website.py
	$(BIN)/python tools/bundle.py $(ARGS)

records: $(VENV)/.maintainer-ready  ## train the recorded runs that are missing; hours, resumable
	$(BIN)/python tools/record.py $(ARGS)

bench: $(VENV)/.bench-ready  ## measure our training beside other libraries'; a quiet machine, please
	$(BIN)/python benchmarks/training.py $(ARGS)

mutate: $(VENV)/.maintainer-ready  ## change the code and see whether a test notices; ARGS="course_utils.checks.*"
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2 $(ARGS)
	$(BIN)/mutmut results

mutate-checks: $(VENV)/.maintainer-ready  ## the same with the checks of the exercises; ARGS=10_googlenet
	OMP_NUM_THREADS=1 $(BIN)/python tools/mutate_checks.py $(ARGS)

data: $(VENV)/.maintainer-ready  ## rebuild the shipped images from the official files
	$(BIN)/python tools/make_embedded_data.py $(ARGS)

lock: $(VENV)/.maintainer-ready  ## solve requirements.lock anew; ARGS="--upgrade-package torch" moves a pin
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--no-annotate --no-header --no-emit-index-url --output-file requirements.lock $(ARGS)

clean:  ## remove the environment; data and notebooks stay
	rm -rf $(VENV)

$(VENV)/bin/python:
	@python=$$(sh tools/find_python.sh "$(PYTHON)") || exit 1; \
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); echo "$$python could not make an environment. On Debian and Ubuntu, 'apt-get install python3-venv' adds what it lacks." >&2; exit 1; }

# A stamp is younger than what it was made from: a second call installs nothing again. The stamp of
# PyTorch carries the build that was named: to name another one installs that.
TORCH_READY := $(if $(TORCH),$(VENV)/.torch-$(TORCH),$(firstword $(wildcard $(VENV)/.torch-*) $(VENV)/.torch-auto))

$(TORCH_READY): requirements.lock | $(VENV)/bin/python
	@$(BIN)/python tools/install_torch.py
	@rm -f $(VENV)/.torch-*
	@touch $@

$(VENV)/.learner-ready: pyproject.toml requirements.lock $(TORCH_READY) | $(VENV)/bin/python
	@echo "Installing the course ..."
	$(PIP) --constraint requirements.lock --editable .
	@touch $@

$(VENV)/.maintainer-ready: pyproject.toml requirements.lock $(TORCH_READY) | $(VENV)/bin/python
	@echo "Installing the course and what its tests need ..."
	$(PIP) --constraint requirements.lock --editable '.[dev]'
	@touch $@ $(VENV)/.learner-ready

$(VENV)/.bench-ready: $(VENV)/.maintainer-ready
	$(PIP) --constraint requirements.lock --editable '.[bench]'
	@touch $@
