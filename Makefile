.DEFAULT_GOAL := help
SHELL := /bin/bash
LAKE := .venv/bin/lake
PYTHON := .venv/bin/python
ARGS ?=

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## install what is missing: packages, .venv, jars, MinIO (some minutes once, then at once)
	@python3 -m local.setup

local-run: ## from nothing to published tables on this machine
	@SECONDS=0; $(MAKE) --no-print-directory setup && $(LAKE) up && $(LAKE) run && $(LAKE) tables refined \
	  && printf '\n%s s in all. Next:\n  %s\n  %s\n  %s\n' "$$SECONDS" \
	    "$(LAKE) sql \"SELECT * FROM category_summary ORDER BY category\"" "$(LAKE) status" "$(LAKE) run   # only what changed upstream"

test: setup ## every test and check; ARGS="-k word" chooses
	@$(PYTHON) -m pytest tests $(if $(ARGS),$(ARGS),--numprocesses 2 --dist loadscope --no-loadscope-reorder)
	@$(if $(ARGS),true,$(MAKE) --no-print-directory check)

up: setup ## start the local servers
	@$(LAKE) up

down: ## end the local servers that `up` started
	@test ! -x $(LAKE) || $(LAKE) down

reset: ## end the servers and delete the local lake's data; FORCE=1 does not ask
	@if [ -d .lake ] && [ -z "$(FORCE)" ] && [ -t 0 ]; then read -rp 'Delete .lake with all its data? [y/N] ' answer; \
	  [ "$$answer" = y ] || { echo 'nothing was deleted'; exit 1; }; fi
	@if [ -x $(LAKE) ]; then $(PYTHON) -m local.reset; else rm -rf .lake; fi

check: setup ## ruff, mypy --strict, import rules
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-cache

docs: setup ## write the generated references again
	@$(PYTHON) -m orchestration.reference

bench: setup ## how long the usual commands take
	@$(PYTHON) -m pytest tests/e2e/test_bench.py -m bench -s $(ARGS)

bench-api: setup ## how long answers over HTTP take, from a table of a third of a million rows
	@$(PYTHON) -m pytest tests/e2e/test_bench_api.py -m bench -s $(ARGS)

bench-anomaly: setup ## labelled series, scored: NAB=FOLDER, SEEDS=1,2,3, FIT=sparkml choose; and thousands of series
	@BENCH_NAB=$(abspath $(NAB)) BENCH_SEEDS=$(or $(SEEDS),1) BENCH_FIT=$(or $(FIT),group) \
	  $(PYTHON) -m pytest tests/e2e/test_bench_anomaly.py tests/spark/test_bench_series.py -m bench -s $(ARGS)

bench-extract: setup ## how fast a large table is read, beside other engines (installs them apart)
	@$(PYTHON) -m pytest tests/e2e/test_bench_extract.py -m bench -s $(ARGS)

bench-maintain: setup ## 720 publishes with maintenance every 24 beside 720 without: files, metadata, planning; BENCH_PUBLISHES=96 chooses
	@$(PYTHON) -m pytest tests/spark/test_bench_maintain.py -m bench -s $(ARGS)

soak: setup ## 200 random kills of run, Spark and MinIO; SOAK_KILLS=12 SOAK_SEED=7 choose
	@$(PYTHON) -m pytest tests/e2e -m soak -s $(ARGS)

zip: setup ## pack the code that Spark runs: dist/lake.zip
	@$(PYTHON) -m emr.package

lock: setup ## pin requirements.in again, hashes and all
	@.venv/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --custom-compile-command "make lock" \
	  requirements.in -o requirements.txt > /dev/null

.PHONY: help setup local-run test up down reset check docs bench bench-anomaly bench-api bench-extract bench-maintain soak zip lock
