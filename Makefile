# What people and CI run. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto

# Neither the demo nor the tests phone home.
export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home

.PHONY: help run test check lint types ui docs suites bench spark clean

help:
	@echo "make run    land a race weekend of the embedded simulator in data/lake"
	@echo "make test   run the tests"
	@echo "make check  lint, types and tests, as CI does"
	@echo "make ui     open the Dagster UI on the same instance and lake"
	@echo "make docs   derive the pages of datasets, rules and metrics and the Glue tables"
	@echo "make suites print the rules about rows as Great Expectations suites"
	@echo "make bench  compare speeds, as ratios"
	@echo "make clean  remove what these made, the demo's lake included"

run: $(VENV)/run.stamp
	$(BIN)/f1-bronze ingest 2025 --grand-prix bahrain --offline

test: $(VENV)/dev.stamp $(VENV)/servers.stamp
	$(BIN)/python -m pytest -n $(WORKERS)

check: lint types test

spark: $(VENV)/spark.stamp

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

ui: $(VENV)/run.stamp
	$(BIN)/f1-bronze ui

docs: $(VENV)/run.stamp
	$(BIN)/python -m tools.dataset_docs > docs/datasets.md
	$(BIN)/python -m tools.rule_docs docs/measured_rules.json > docs/rules.md
	$(BIN)/python -m tools.metric_docs docs/monitoring.md
	$(BIN)/python -m tools.glue_template > deploy/aws/tables.yaml

suites: $(VENV)/run.stamp
	@$(BIN)/python -m tools.suites

bench: $(VENV)/run.stamp
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) data .dagster_home build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# S3 servers that are not moto, for the tests; ministack pins its own botocore, so they live apart.
$(VENV)/servers.stamp: | $(VENV)/bin/python
	$(BIN)/python -m venv $(VENV)/servers
	$(VENV)/servers/bin/python -m pip install --quiet ministack swift
	@touch $@

# PySpark is large: CI installs it, and without it the tests that need it are skipped.
$(VENV)/spark.stamp: pyproject.toml | $(VENV)/dev.stamp
	$(BIN)/python -m pip install --quiet --editable ".[spark]"
	@touch $@

$(VENV)/dev.stamp: pyproject.toml setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@ $(VENV)/run.stamp
