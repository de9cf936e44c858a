# Each target makes its own environment from nothing but python3 and pip; a second call finds it ready.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check docs format lint types layers notebooks clean

demo: .venv/.ready-demo
	$(BIN)/goalgraph run "Analyze the data, in thousands of jobs, identify the top 3 trends, create visualizations, and write an executive summary" \
		--data examples/data/us-employment.csv --out demo-output --yes --overwrite
	$(BIN)/goalgraph report demo-output

test: .venv/.ready-dev
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: lint types layers test

docs: .venv/.ready-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: .venv/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: .venv/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/.ready-dev
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: .venv/.ready-dev
	$(BIN)/lint-imports --no-cache

notebooks: .venv/.ready-dev
	$(BIN)/python -m notebooks.execute

clean:
	rm -rf .venv demo-output dist site .mypy_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.ready-demo: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[data,sqlite]'
	@touch $@

.venv/.ready-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ .venv/.ready-demo
