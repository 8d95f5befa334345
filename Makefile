# Two commands matter: `make demo` and `make test`. Both start from nothing.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
# A test waits for a server or a process every now and then: one more than there are cores here.
WORKERS ?= 3

.PHONY: demo test sweep lint types check clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Hash-checked dependencies first, then dbops itself without asking any index for more.
$(VENV)/.runtime: constraints.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r constraints.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.develop: constraints-develop.txt pyproject.toml | $(VENV)/.runtime
	$(PIP) install --require-hashes -r constraints-develop.txt
	@touch $@

demo: $(VENV)/.runtime
	$(BIN)/dbops demo

test: $(VENV)/.develop
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not sweep"

sweep: $(VENV)/.develop
	$(BIN)/python -m pytest -q -m sweep

lint: $(VENV)/.develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.develop
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
