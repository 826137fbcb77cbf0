# Two commands matter: `make train` and `make test`. Each prints what it runs; the README lists the same
# commands for use without make.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# No usage reports are sent anywhere; a machine that prevents bytecode files would double every start.
export ZENML_ANALYTICS_OPT_IN := false
export DO_NOT_TRACK := 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install data train retrain test lint clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	touch $@

install: $(INSTALLED)  ## create .venv and install the pinned set

data: $(INSTALLED)  ## fetch the demo log from the DVC remote inside this repository
	$(BIN)/dvc pull

train: data  ## train, judge and register DemiNet on the demo log
	test -d .zen || $(BIN)/zenml init
	$(BIN)/zenml pipeline run pipelines.training.training_pipeline

CONFIG ?= configs/retrain/demo.yaml
TRIGGER ?= manual
retrain: data  ## watch the newest window, train a challenger if there is reason to, promote it if its gates hold
	test -d .zen || $(BIN)/zenml init
	$(BIN)/python -m pipelines.retrain --config $(CONFIG) --trigger $(TRIGGER) $(if $(FORCE),--force)

test: $(INSTALLED)  ## run all tests but the slow ones
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(INSTALLED)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove what the commands above made here, the environment included
	rm -rf .venv .zen data reports checkpoints build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
