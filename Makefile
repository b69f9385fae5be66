# `make check` is what .ci/run does, without its installation step.
.PHONY: check format full generated test lint
PYTHON ?= python

check: lint test

lint:
	ruff format --check .
	ruff check .
	mypy
	lint-imports

test:
	$(PYTHON) -m pytest -n 3

# Every test, all Pythons and attacks, and ten minutes of fuzzing; starts again where it was interrupted.
full:
	$(PYTHON) -m benchmarks.full

# Texts in the catalogues and parts of docs/ that are made from declarations.
generated:
	$(PYTHON) scripts/generated_pages.py
	$(PYTHON) scripts/translations.py

format:
	ruff format .
	ruff check --fix .
