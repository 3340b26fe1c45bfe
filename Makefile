# Everything runs from environments that the targets create themselves: nothing is to be
# installed by hand but a Python (3.10, else 3.11-3.13). PYTHON=/path/to/python overrides
# the choice.

BASH := bash
PY := .venv/bin/python
# Run the tests in at most two processes; `make test XDIST=` runs them in one.
XDIST ?= -n auto --maxprocesses 2
PYTEST_ARGS ?=
PYTEST = -m pytest -q -rs $(XDIST) $(PYTEST_ARGS)
# The long tests, and the property-based ones once more with examples of their own.
LONG = -rP --durations=25 --dist=worksteal -m "verify or hypothesis" --hypothesis-profile=new
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup demo lint test test-new verify mutation lava-env lava-ready new-env oracles nnmt trains frameworks lock upgrade \
	dist clean replicate bench bench-quick bench-bounds bench-env

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Create or refresh .venv (quick if it is up to date)
	@$(BASH) scripts/setup_venv.sh main

demo: setup ## Run the demonstration
	@$(BASH) scripts/with_lava.sh .venv/bin/neuro-lif demo

lint: setup ## Check style (ruff) and types (mypy)
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	$(PY) -m mypy

test: lint lava-ready ## Check style and types, then run the tests
	$(BASH) scripts/with_lava.sh $(PY) $(PYTEST)

test-new: lava-ready new-env ## Run the tests on the newest Python (3.11-3.13) with numpy 2
	$(BASH) scripts/with_lava.sh .venv-new/bin/python $(PYTEST)

# With Python 3.10 all peers run live, from an environment of their own; without it what
# needs them says so and is skipped. -rP shows what the passing tests found.
verify: oracles nnmt trains frameworks ## Run the long differential tests, the peers live
	@if [ -x .venv-oracles/bin/python ]; then \
	    set -ex; .venv-oracles/bin/python $(PYTEST) tests/test_codings*.py tests/test_dialect*.py; \
	    .venv-oracles/bin/python $(PYTEST) $(LONG) tests; \
	else \
	    set -x; $(PY) $(PYTEST) $(LONG) tests; \
	fi

mutation: oracles ## Change the code in thousands of small ways; list what no test notices
	.venv-oracles/bin/python tests/mutation/run.py

lava-env: ## Create .venv-lava: Python 3.10 with Lava, for a newer Python to call
	@$(BASH) scripts/setup_venv.sh lava

# .venv has Lava itself when it is Python 3.10; else Lava comes from .venv-lava, if it can
# be made. Without either, the tests that need Lava say so and are skipped.
lava-ready: setup
	@if [ ! -x .venv/bin/python3.10 ]; then \
	    if $(BASH) scripts/find_python.sh 3.10 >/dev/null; then \
	        $(BASH) scripts/setup_venv.sh lava; \
	    else \
	        echo "note: no Python 3.10, so there is no Lava: its tests are skipped"; \
	    fi; \
	fi

new-env:
	@$(BASH) scripts/setup_venv.sh new

oracles: ## Create .venv-oracles: Python 3.10 with the peers that verify runs live
	@if $(BASH) scripts/find_python.sh 3.10 >/dev/null; then \
	    $(BASH) scripts/setup_venv.sh oracles; \
	else \
	    rm -rf .venv-oracles; $(BASH) scripts/setup_venv.sh main; \
	    echo "note: no Python 3.10, so none of the peers run live: their tests are skipped"; \
	fi

nnmt: ## Create .venv-nnmt: NNMT, which verify compares the theory with
	@$(BASH) scripts/setup_venv.sh nnmt || echo "note: no .venv-nnmt: what needs NNMT is skipped"

trains: ## Create .venv-trains: PySpike and elephant, which verify compares the metrics with
	@$(BASH) scripts/setup_venv.sh trains || \
	    echo "note: no .venv-trains: what needs PySpike and elephant is skipped"

frameworks: ## Create .venv-frameworks: snnTorch, Norse and others, which verify runs NIR files in
	@$(BASH) scripts/setup_venv.sh frameworks || \
	    echo "note: no .venv-frameworks: what needs the frameworks of NIR is skipped"

replicate: setup ## Measure the replications beside what is expected (ten minutes)
	$(PY) examples/replications/all.py $(REPLICATE_ARGS)

bench-env: setup oracles
	@$(BASH) scripts/setup_venv.sh bench || echo "note: no .venv-bench: its peers are left out"

# BENCH_ARGS="--only W1 --peers brian2-standalone,nest"; see docs/benchmarks.md.
bench: bench-env ## Measure against every peer that is installed (hours; goes on if stopped)
	$(PY) benchmarks/run.py $(BENCH_ARGS)

bench-bounds: setup ## How near each kernel comes to what the machine can do at best
	$(PY) benchmarks/bounds/run.py $(BENCH_ARGS)

bench-quick: bench-env ## The same with fewer steps and repetitions
	$(PY) benchmarks/run.py --quick $(BENCH_ARGS)

lock: ## Write the lock files again, keeping the pins that still fit (needs uv)
	@$(BASH) scripts/lock.sh

upgrade: ## Write the lock files again with the newest versions (needs uv)
	@$(BASH) scripts/lock.sh --upgrade

dist: setup ## Build the sdist, and the wheel from it, into dist/
	$(PY) scripts/dist.py dist

clean: ## Remove the environments, caches and build products
	rm -rf .venv .venv-new .venv-lava .venv-oracles .venv-bench .venv-nnmt .venv-trains .venv-frameworks build dist neuro_lif_demo
	rm -f neuro_lif/kernel/_native.*.*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
