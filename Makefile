# The commands of Parley: `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test test-long compose-test check lint faults mutations bench format wire contract lock clean

help: ## List these commands
	@$(PYTHON) -c "import re; print(*('{:<14}{}'.format(*m) for m in re.findall(r'^([a-z-]+):.*?## (.*)', open('Makefile').read(), re.M)), sep='\n')"

run: $(VENV)/.ready ## Set everything up and run the product with a few conversations (Ctrl-C stops it)
	@$(BIN)/parley local up --demo

test: $(VENV)/.ready-dev ## Run the tests against a real Kafka and a real PostgreSQL
	@$(BIN)/pytest --forked -n 3 --dist worksteal -m 'not faults and not e2e and not long'
	@$(BIN)/pytest --forked -n 2 --dist loadfile -m '(faults or e2e) and not long'

test-long: $(VENV)/.ready-dev ## Run the few tests that take most of a minute each
	@$(BIN)/pytest --forked -m long --durations 0

compose-test: $(VENV)/.ready-dev ## Build the images, run the product in containers, scale, kill and upgrade it (needs Docker)
	@$(BIN)/pytest --compose --timeout 900 --durations 0 $(or $(TESTS),tests/compose)

check: lint ## Format, lint, types, import fences, the contract and the unit tests
	@$(BIN)/pytest -q -n 2 --dist worksteal tests/unit tests/contract

lint: $(VENV)/.ready-dev ## Format, lint, types, import fences and the contract
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/buf lint proto

faults: $(VENV)/.ready-dev ## Break the product on purpose, at length: ROW=list lists the ways, ROW=… N=… takes one
	@PARLEY_TEST_IMPORT_FILE='$(FILE)' $(BIN)/python -m tests.faults $(or $(ROW),all) $(if $(N),--amount $(N))

mutations: ## Break the code on purpose, and show that a named test fails each time
	@$(MAKE) --no-print-directory faults ROW=mutations

bench: $(VENV)/.ready-dev ## Measure the product against its peers, or one PART=gateway|sink|sealing|rebuild|analyzer; figures go to benchmarks/results
	@$(BIN)/python -m benchmarks $(PART)

format: $(VENV)/.ready-dev ## Put the code into its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: metrics configuration asyncapi openapi alerts dashboards
metrics: $(VENV)/.ready-dev ## Write docs/metrics.md anew from the code
	@$(BIN)/python -m deploy.observing.page

configuration: $(VENV)/.ready-dev ## Write docs/configuration.md anew from the code
	@$(BIN)/python -m deploy.observing.settings_page

asyncapi: $(VENV)/.ready-dev ## Write docs/asyncapi.yaml anew from the code and proto/
	@$(BIN)/python -m deploy.docs.asyncapi

openapi: $(VENV)/.ready-dev ## Write docs/openapi.json anew from the code
	@$(BIN)/python -m deploy.docs.openapi

.PHONY: docs
docs: $(VENV)/.ready-dev ## Build the documentation as a site into site/, without a warning
	@$(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

alerts: ## Check the alert rules and run their tests (needs promtool)
	@cd deploy/prometheus/rules && promtool check rules --lint-fatal *.yml
	@cd deploy/prometheus/tests && promtool test rules *.yml

dashboards: $(VENV)/.ready-dev ## Build the dashboards of Grafana
	@$(BIN)/python -m deploy.grafana.build

wire: $(VENV)/.ready-dev ## Generate parley/wire from proto/
	@$(BIN)/python proto/generate.py

contract: $(VENV)/.ready-dev ## Make today's contract the released one, which later ones must not break
	$(BIN)/buf build proto --exclude-source-info -o proto/released.binpb

lock: $(VENV)/.ready-dev ## Resolve the requirements anew, with hashes (needs uv)
	uv pip compile $(COMPILE) --extra local --extra dev --extra bench --extra export pyproject.toml -o requirements-dev.lock
	uv pip compile $(COMPILE) --extra local -c requirements-dev.lock pyproject.toml -o requirements.lock
	uv pip compile $(COMPILE) -c requirements-dev.lock pyproject.toml -o deploy/requirements.lock
	echo ziglang==0.17.1 | uv pip compile $(COMPILE) - -o deploy/compiler.lock
	echo quixstreams==3.28.1 | uv pip compile $(COMPILE) - -o benchmarks/sealing/quix-streams.lock

COMPILE := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

clean: ## Delete the virtual environment; data in .parley stays (see `parley local reset`)
	rm -rf $(VENV)

# Each is made anew when its lock changes; the marker is written last, so that a killed
# installation is done again.
$(VENV)/.ready: requirements.lock pyproject.toml $(wildcard parley/codec/compiled/*.[ch])
	@echo "Installing Python packages into $(VENV) ..." >&2
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Parley needs Python 3.11 or newer; set PYTHON=.")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@$(PYTHON) -c "open('$@', 'w')"

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	@echo "Installing test packages into $(VENV) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(PYTHON) -c "open('$@', 'w')"
