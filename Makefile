# What people and CI run. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto
CONTAINER_TESTS ?= f1_bronze_tests/deploy

# Neither the demo nor the tests phone home.
export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run ui check lint types test test-marked test-containers test-all docs site release-check compose compose-demo bench spark clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

run: $(VENV)/run.stamp ## tell a story in simulated sessions, in data/demo
	$(BIN)/f1-bronze demo

ui: $(VENV)/run.stamp ## open the Dagster UI on the demo
	$(BIN)/f1-bronze demo --ui

check: lint types test ## lint, types and the plain tests

lint: $(VENV)/dev.stamp ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp ## mypy, strict on the package
	$(BIN)/mypy

test: $(VENV)/dev.stamp ## the tests that need nothing but Python; a few minutes
	$(BIN)/python -m pytest -n $(WORKERS) -m "not (slow or external or container)"

# One worker a core: these start servers and processes of their own.
test-marked: $(VENV)/dev.stamp $(VENV)/servers.stamp ## the slow ones and those that need servers, a browser or Spark
	$(BIN)/python -m pytest -n $(WORKERS) -m "(slow or external) and not container"

# CONTAINER_CACHE keeps base images and layers from run to run.
test-containers: $(VENV)/dev.stamp $(VENV)/servers.stamp ## those with the image and real containers; needs root, podman, runc, mmdebstrap
	$(BIN)/python -m pytest -m container $(CONTAINER_TESTS)

test-all: test test-marked test-containers ## every test; what cannot run here is skipped with its reason

docs: $(VENV)/dev.stamp ## derive tables of the docs, the Glue tables and the image's versions
	$(BIN)/python -m tools.dataset_docs > docs/reference/datasets.md
	$(BIN)/python -m tools.rule_docs docs/reference/measured_rules.json > docs/reference/rules.md
	$(BIN)/python -m tools.reference_docs
	$(BIN)/python -m tools.glue_template > deploy/aws/tables.yaml
	$(BIN)/python -m tools.constraints > deploy/dagster/constraints.txt

site: $(VENV)/dev.stamp ## build the documentation site into build/site; a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

release-check: $(VENV)/release.stamp ## build sdist and wheel, install them into clean environments, run the demo there
	$(BIN)/python -m tools.release_check

# Needs Docker, or podman with COMPOSE=podman-compose and DOCKER_SOCKET.
COMPOSE ?= docker compose
DOCKER_SOCKET ?= /var/run/docker.sock
COMPOSE_UP = DOCKER_SOCKET=$(DOCKER_SOCKET) DOCKER_GROUP=$$(stat -L -c %g $(DOCKER_SOCKET) || echo 0) $(COMPOSE) -f deploy/compose/compose.yaml

compose: ## start a deployment in containers: webserver, daemon, code server, PostgreSQL
	$(COMPOSE_UP) up --build --detach

compose-demo: ## the same with the simulator and an invented season
	$(COMPOSE_UP) -f deploy/compose/demo.yaml up --build --detach

bench: $(VENV)/bench.stamp ## measure beside others who do the same: CASES=season, QUICK=1, OUT=…, RECORDED=…
	$(BIN)/python -m benchmarks $(if $(CASES),--cases $(CASES)) $(if $(QUICK),--quick) $(if $(OUT),--out $(OUT)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(RECORDED),--recorded $(RECORDED)) $(if $(PATIENT),--patient) $(if $(PUBLISH),--publish $(PUBLISH)) $(if $(SEASON),--season $(SEASON))

spark: $(VENV)/spark.stamp ## install PySpark for the test that reads the lake with it; needs Java

clean: ## remove what these made, the demo's lake included
	rm -rf $(VENV) data .dagster_home build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# S3 servers that are not moto, for the tests; ministack pins its own botocore, so they live apart.
# With docker its ECS starts real containers.
$(VENV)/servers.stamp: Makefile | $(VENV)/bin/python
	test -x $(VENV)/servers/bin/python || $(BIN)/python -m venv $(VENV)/servers
	$(VENV)/servers/bin/python -m pip install --quiet ministack swift docker
	@touch $@

$(VENV)/release.stamp: pyproject.toml | $(VENV)/dev.stamp
	$(BIN)/python -m pip install --quiet --editable ".[release]"
	@touch $@

# PySpark is large: CI installs it, and without it the test that needs it is skipped.
$(VENV)/spark.stamp: pyproject.toml | $(VENV)/dev.stamp
	$(BIN)/python -m pip install --quiet --editable ".[spark]"
	@touch $@

# What the benchmark compares with, and the S3 that it asks.
$(VENV)/bench.stamp: pyproject.toml setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	@touch $@ $(VENV)/run.stamp

$(VENV)/dev.stamp: pyproject.toml setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@ $(VENV)/run.stamp
