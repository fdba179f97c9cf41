# Lamplighter's commands; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
STATE := .lamplighter
VENV := $(STATE)/venv
RUN := PYTHONPATH=$(CURDIR) $(VENV)/bin/python -m
INSTALLED := $(VENV)/.installed

.PHONY: help install demo web night plan rebuild-features db-url stop simulate test science bench fuzz lint lock

help:
	@grep -hE '^## ' $(MAKEFILE_LIST) | sed 's/^## /  make /'

$(INSTALLED): requirements.txt include/local/install.sh
	@bash include/local/install.sh

install: $(INSTALLED)

## demo               the first run: real purchases, several nights through Airflow, a morning report
demo: $(INSTALLED)
	@$(RUN) include.local demo

## web                Airflow's web UI over the current data, until Ctrl-C
web: $(INSTALLED)
	@$(RUN) include.local web

## night DATE=…       one nightly_marketing run for that business date, to its end
night: $(INSTALLED)
	@test -n "$(DATE)" || { echo "which date? For example: make night DATE=2017-11-30" >&2; exit 2; }
	@$(RUN) include.local night --date "$(DATE)"

## plan DATE=…        what the night of that business date would send; nothing is kept or sent
plan: $(INSTALLED)
	@test -n "$(DATE)" || { echo "which date? For example: make plan DATE=2017-11-30" >&2; exit 2; }
	@$(RUN) include.local plan --date "$(DATE)"

## rebuild-features   all features of a date from events alone; DATE=… unless that of the last build
rebuild-features: $(INSTALLED)
	@$(RUN) include.local rebuild-features $(if $(DATE),--date "$(DATE)")

## db-url             the SQLAlchemy URL of the marketing database, starting the embedded server if needed
db-url:
	@$(MAKE) --no-print-directory install >&2
	@$(RUN) include.local db-url

## stop               stop whatever these commands left running
stop: $(INSTALLED)
	@$(RUN) include.local stop

## simulate           nights over a made-up shop whose truth is known; NIGHTS=14 CUSTOMERS=2000 WORLD=mild
simulate: $(INSTALLED)
	@$(RUN) include.closed_loop $(if $(NIGHTS),--nights "$(NIGHTS)") $(if $(CUSTOMERS),--customers "$(CUSTOMERS)") \
		$(if $(WORLD),--world "$(WORLD)")

## lint               ruff and mypy
lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	MYPYPATH=dags $(VENV)/bin/mypy

## test               lint and all tests, against a real Postgres, scheduler, browser, Redis
test: $(INSTALLED)
	@bash tests/install_system_packages.sh
	@$(MAKE) --no-print-directory lint
	$(VENV)/bin/python -m pytest --numprocesses=2 --no-loadscope-reorder --durations=15 --basetemp=$(STATE)/test

## science            forecasts and recommendations beside simpler ones, on days not yet seen; ROOM=recommending for one
science: $(INSTALLED)
	@$(RUN) tests.science $(ROOM)

## bench              the benchmarks, each as a ratio to a yardstick of the same run; ROOM=landing for one room
bench: $(INSTALLED)
	@$(RUN) tests.benchmarks $(ROOM)

## fuzz               fuzz the landing readers, coverage-guided; LIMIT=600 for ten minutes each
fuzz: $(INSTALLED)
	@$(RUN) tests.fuzz $(LIMIT)

## lock               compile requirements.txt anew from pyproject.toml
lock: $(INSTALLED)
	$(STATE)/uv/bin/uv pip compile --quiet --universal --generate-hashes --custom-compile-command "make lock" \
		--no-emit-index-url --no-emit-find-links --group demo --group dev pyproject.toml -o requirements.txt
