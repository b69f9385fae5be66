# `make check` is what .ci/run does, without its installation step.
.PHONY: check format test lint
PYTHON ?= python

check: lint test

lint:
	ruff format --check .
	ruff check .
	mypy
	lint-imports

test:
	$(PYTHON) -m pytest -n 2

format:
	ruff format .
	ruff check --fix .
