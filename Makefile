# Everything a developer types. `make help` lists it.
# The project keeps its own virtual environment in .venv and touches nothing outside this folder.

VENV    := .venv
PY      := $(VENV)/bin/python
FLASK   := $(PY) -m flask
PIP     := $(PY) -m pip install -qq --disable-pip-version-check --require-hashes
WORKERS ?= auto
# Where the embedded database is: as Flask will read it, from the environment, .env or .flaskenv.
VAR_DIR ?= $(or $(shell sed -n 's/^VAR_DIR=//p' .env .flaskenv 2>/dev/null | head -n 1),var)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check format proof bench lock fresh

help: ## This list
	@echo "make run starts Tenantry on this machine; nothing else has to be installed."
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  FRESH=1 with run begins with an empty database. WORKERS=1 and ARGS=… go to pytest."

run: $(VENV)/.runtime $(if $(FRESH),fresh) ## Start it: database, example accounts, server
	@echo "Bringing the database up to date …"
	@$(FLASK) db upgrade
	@echo "Making the example accounts (those that exist stay as they are) …"
	@$(FLASK) seed
	@exec $(FLASK) serve

fresh: ## Remove the embedded database and its example sign-ins, and nothing else
	@echo "Removing the embedded database in $(VAR_DIR) …"
	@rm -f -- "$(VAR_DIR)/tenantry.db" "$(VAR_DIR)/tenantry.db-wal" "$(VAR_DIR)/tenantry.db-shm" \
	  "$(VAR_DIR)/demo_sign_ins.json" "$(VAR_DIR)/demo_operators.json"

test: $(VENV)/.dev ## All tests but the long ones
	$(PY) -m pytest -n $(WORKERS) $(ARGS)

check: $(VENV)/.dev ## Format, lint, types, rooms, models against migrations
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	@echo "Comparing the models with a database made by the migrations …"
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	  export FLASK_CONFIG=test VAR_DIR="$$dir" DATABASE_URL= DATABASE_SYSTEM_URL= DATABASE_ADMIN_URL= && \
	  $(FLASK) db upgrade && $(FLASK) db check

format: $(VENV)/.dev ## Format the code and mend what the linter can mend
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .

proof: $(VENV)/.dev ## The long tests: races, failures, big data
	TENANTRY_PROOF=1 $(PY) -m pytest -m proof --timeout 1800 $(ARGS)

bench: $(VENV)/.dev ## Compare with the bare limit, in one run
	$(PY) -m benchmarks.list $(ARGS)

# The locks are made by uv, for every platform; hashes make sure that what was tested is what is installed.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
        --extra postgresql --extra mariadb --extra redis --extra nats --extra server

lock: ## Renew requirements*.txt within pyproject's bounds (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: python3 -m pip install uv" >&2; exit 1; }
	$(LOCK) --upgrade --output-file requirements.txt
	$(LOCK) --upgrade --extra dev --constraints requirements.txt --output-file requirements-dev.txt

# A python3 that is new enough and can make a virtual environment; PYTHON=… chooses another.
define FIND_PYTHON
for each in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
  "$$each" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && { echo "$$each"; exit 0; }; \
done; \
echo "Tenantry needs Python 3.11 or newer with its venv module." >&2; \
echo "Found here: $$($(or $(PYTHON),python3) --version 2>&1 || echo none). On Debian: apt install python3 python3-venv" >&2; \
echo "If another one is installed, name it: make run PYTHON=/path/to/python3.12" >&2; \
exit 1
endef

$(PY):
	@python=$$($(FIND_PYTHON)) && echo "Making $(VENV) with $$("$$python" --version) …" && \
	  rm -rf $(VENV) && "$$python" -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(PY)
	@echo "Installing what Tenantry needs into $(VENV): about half a minute, once …"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(PY)
	@echo "Installing the tools of developers into $(VENV): about a minute, once …"
	@$(PIP) -r requirements-dev.txt
	@touch $(VENV)/.runtime $@
