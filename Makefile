# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
GENERATOR := .venv-generator
BIN := $(VENV)/bin
FUZZ_EXAMPLES ?= 350
FUZZ_CASES ?= 5000
TEST_PROCESSES ?= 2

.PHONY: help setup demo up test test-slow lint format client chaos chaos-short fuzz bench bench-api compose-test lock clean
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo "  The command is $(BIN)/gradientd; 'source $(VENV)/bin/activate' has a shell find it as gradientd."

# A stamp per set of requirements: set-up does nothing while requirements and pyproject are unchanged.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "gradientd needs Python 3.11, 3.12 or 3.13 (TensorFlow 2.21 has no wheel for others);" \
	    "name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python requirements/demo.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

# Apart, since it asks for an older typer than ours.
$(GENERATOR)/.made: requirements/generator.txt
	$(PYTHON) -m venv $(GENERATOR)
	$(GENERATOR)/bin/python -m pip install --quiet --require-hashes -r requirements/generator.txt
	@touch $@

setup: $(VENV)/.dev ## Make .venv with everything pinned (a minute or two; nothing when unchanged)

demo: $(VENV)/.demo ## Start the whole service and train a real MNIST job on it
	$(BIN)/gradientd demo

up: $(VENV)/.demo ## Start the whole service here: store, API and a worker
	$(BIN)/gradientd up

test: $(VENV)/.dev ## Run the tests (4 to 5 minutes on 2 cores)
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES)

test-slow: $(VENV)/.dev $(GENERATOR)/.made ## Run the slow tests: whole stacks killed, training that hangs, slow peers, old data, memory of 44 shapes, random networks in every mode and format, README's commands, each bench in small (half an hour)
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.dev ## Format check, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

client: $(VENV)/.dev ## Write the synchronous Python client anew from the asynchronous one
	$(BIN)/python -m tests.gradientd.client.generated

chaos: $(VENV)/.dev ## Break a real stack 500 times over 300 jobs; kill 20 jobs; check that damage is noticed (20 minutes)
	$(BIN)/python -m tests.chaos --jobs 300 --faults 500
	$(BIN)/python -m tests.chaos killed
	$(BIN)/python -m tests.chaos directed
	$(BIN)/python -m tests.chaos uploads
	$(BIN)/python -m tests.chaos --mutate fence
	$(BIN)/python -m tests.chaos --mutate reconciler

chaos-short: $(VENV)/.dev ## The same for five minutes, without the checks of itself
	$(BIN)/python -m tests.chaos --minutes 2
	$(BIN)/python -m tests.chaos uploads --uploads 11 --races 60

fuzz: $(VENV)/.dev ## Send the API 5,000 requests and more that its document allows, or does not; again with keys
	$(BIN)/python -m tests.fuzz --examples $(FUZZ_EXAMPLES) --least-cases $(FUZZ_CASES)
	$(BIN)/python -m tests.fuzz --examples $(FUZZ_EXAMPLES) --least-cases $(FUZZ_CASES) --auth

bench: $(VENV)/.dev ## Print every published figure beside its peers (minutes; run nothing beside it)
	$(BIN)/python -m bench

bench-api: $(VENV)/.dev ## The figures of the API alone: jobs read and submitted, predictions
	$(BIN)/python -m bench api predict

compose-test: $(VENV)/.dev ## Build the images, start docker-compose for real, train a job through it
	./tests/compose/run.sh

lock: ## Compile requirements/ anew from pyproject.toml
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	PATH="$(CURDIR)/.venv-lock/bin:$$PATH" ./requirements/compile.sh

clean: ## Remove what set-up made
	rm -rf $(VENV) $(GENERATOR) .venv-lock .demo build *.egg-info
