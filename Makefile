# All that a fresh machine with Python 3.11 or newer, git and make needs. `make` alone lists the targets.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= data
# Test processes at once, and what else pytest is to be told: make test PYTEST_ARGS="-k payment"
TEST_JOBS ?= 2
PYTEST_ARGS ?=
KILLS ?= 200
KILLS_SEED ?= 2026
# What the functions on AWS run on; the same as the template's parameters Runtime and Architecture.
RUNTIME ?= python3.13
ARCHITECTURE ?= arm64
PARTITION ?= aws
# A folder with the pipeline of this installation on AWS (docs/how-to/extend-on-aws.md). The one called own is not committed.
OWN ?= $(wildcard own)

BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help install console run test test-aws check format docs kills bench build lock clean

help: ## Show this list
	@echo "Dealerflow: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r target does; do \
		printf '  %-9s %s\n' "$$target" "$$does"; done

install: ## Make .venv with the program in it (.venv/bin/dealerflow)
	@scripts/install

console: ## Make .venv with what the command line needs to steer an installation on AWS
	@scripts/install console

run: install ## Start Dealerflow with demo data (HOST=, PORT= and DATA= change where)
	@exec $(BIN)/dealerflow serve --demo --host "$(HOST)" --port "$(PORT)" --data "$(DATA)"

test: ## Run every check and every test
	@scripts/install test
	@scripts/install aws
	@scripts/check
	@CHROMIUM="$$(scripts/ensure-chromium)" && export CHROMIUM && echo "Browser tests use $$CHROMIUM" && \
		exec $(BIN)/pytest -n $(TEST_JOBS) --dist worksteal $(PYTEST_ARGS)

test-aws: ## Run the tests of the installation on AWS only: its template, its functions, the stories on it
	@scripts/install test
	@scripts/install aws
	@exec $(BIN)/pytest -n $(TEST_JOBS) --dist worksteal tests/aws tests/stories -k "aws" $(PYTEST_ARGS)

check: ## Run the static checks only: format, lint, types, import rules
	@scripts/install test
	@scripts/check

format: ## Format the code and mend what the linter can mend
	@scripts/install test
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

docs: ## Write those pages of the documentation anew that are made from the program
	@scripts/install test
	@$(BIN)/python -m scripts.reference

kills: ## Kill processes under load, for longer than the tests do (KILLS=, KILLS_SEED=)
	@scripts/install test
	@KILLS="$(KILLS)" KILLS_SEED="$(KILLS_SEED)" exec $(BIN)/pytest tests/faults/test_kills.py $(PYTEST_ARGS)

bench: ## Measure, and write the results with the machine they were measured on
	@scripts/install test
	@exec $(BIN)/python -m benchmarks

build: ## Fill the bundles of the functions on AWS, for `sam deploy` in infra (RUNTIME=, ARCHITECTURE=, OWN=, PARTITION=)
	@scripts/install aws
	@RUNTIME="$(RUNTIME)" ARCHITECTURE="$(ARCHITECTURE)" PARTITION="$(PARTITION)" OWN="$(OWN)" infra/build
	@[ -e infra/samconfig.toml ] || cp infra/samconfig.default.toml infra/samconfig.toml
	@infra/package --sizes infra/.aws-sam/build

lock: ## Write requirements/*.txt anew (UPGRADE=1 takes the newest versions)
	@scripts/lock $(if $(UPGRADE),--upgrade)

clean: ## Remove the environments and caches; data stays
	rm -rf .venv .venv-aws .venv-lock .venv-ministack infra/.aws-sam .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
