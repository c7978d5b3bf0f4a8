# Everything a person or a CI job runs. `make` alone lists it. Nothing but make and Python 3.11 or newer is needed.
#   make demo                     the main job on real data, in its own virtual environment
#   make test ARGS="-k lineage"   further options for pytest
#   make bench ONLY=ingest        one benchmark
#   make PYTHON=/path/to/python3  another interpreter for the virtual environment

VENV   := .venv
BIN    := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt build_hook.py
PEERS  := dbt airflow spark
JOBS   ?= 2

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore

# A virtual environment holds absolute paths: one that was made elsewhere (a copied or moved checkout) or was left half
# done is made anew.
USABLE := $(shell grep -qsF '$(CURDIR)/$(BIN)/python' $(BIN)/pip && $(BIN)/python -m pip --version >/dev/null 2>&1 \
	&& echo yes)

.PHONY: help venv demo serve test check lint format docs bench soak snapshots postgres java sumdb peers clean rebuild

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

# --- the virtual environment ---------------------------------------------------------------------------------------

define make_venv
	@if [ "$(USABLE)" != yes ]; then \
		for candidate in $(if $(PYTHON),'$(PYTHON)',python3.13 python3.12 python3.11 python3); do \
			if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
				echo "Making $(VENV) with $$("$$candidate" --version)" && "$$candidate" -m venv --clear $(VENV) && exit 0; \
			fi; \
		done; \
		echo "Assay needs Python 3.11 or newer with the modules venv and ensurepip, and found none" >&2; \
		echo "(looked for: $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3))." >&2; \
		echo "Install it (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
endef

# $(1) is the extra. Warnings of pip are left out; its errors are shown.
define install
	@echo "Installing Assay [$(1)] into $(VENV): a minute or two the first time ..."
	@$(BIN)/python -m pip install -qq --progress-bar off -c constraints.txt -e '.[$(1)]'
	@echo "Installed: $$($(BIN)/assay --version 2>/dev/null || echo 'Assay')"
endef

venv: $(VENV)/dev.stamp ## make or renew .venv with everything that developing needs

$(VENV)/dev.stamp: $(INPUTS) $(if $(USABLE),,rebuild)
	$(make_venv)
	$(call install,dev)
	@touch $(VENV)/server.stamp $@

# What the demo and the service need is less than what the tests need; an environment that has all is good for both.
$(VENV)/server.stamp: $(INPUTS) $(if $(USABLE),,rebuild)
	$(make_venv)
	$(call install,server)
	@touch $@

rebuild:

# --- running ---------------------------------------------------------------------------------------------------------

demo: $(VENV)/server.stamp ## play the main job on real data: events, a denied and an allowed gate, reports, proofs
	@$(BIN)/assay demo $(ARGS)

serve: $(VENV)/server.stamp ## make what is missing (database, keys) and leave the service up
	@$(BIN)/assay serve --setup $(ARGS)

# --- checking --------------------------------------------------------------------------------------------------------

check: lint test ## everything that must hold before a change lands

lint: venv ## format, lint, types and import layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache importlinter.ini

format: venv ## rewrite the code as ruff formats it
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

docs: venv ## rewrite the pages of docs/ that are generated
	@$(BIN)/python -m tests.support.documents

snapshots: venv ## write the generated files (OpenAPI document, reference pages) anew
	@$(BIN)/python -m pytest -q tests/api/test_openapi.py --write-snapshots

test: venv postgres peers sumdb ## all tests, on SQLite and on a real PostgreSQL, with real producers of lineage
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile -m "not soak" --durations 10 --durations-min 5 $(ARGS)

soak: venv postgres sumdb ## long fuzz, load and crash runs
	@$(BIN)/python -m pytest -q -m soak --timeout 3600 $(ARGS)

bench: venv postgres ## benchmarks against their floors and peers; writes benchmarks/results.md
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

postgres: venv # a server that starts: the system's, else the wheel's, else Debian's package
	@$(BIN)/python -m tests.support.postgres || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing PostgreSQL for the tests ..." \
		&& apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install postgresql >/dev/null \
		&& $(BIN)/python -m tests.support.postgres; } || { \
		echo "The tests need PostgreSQL 14 or newer: install it, or set PG_BIN to the folder of initdb." >&2; exit 1; }

java: # what Spark runs on: the system's, else Debian's package; the tests that need it say so where there is none
	@command -v java >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing Java for the tests of Spark ..." \
		&& apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install default-jre-headless >/dev/null; } || \
		echo "There is no Java; the tests that need it are not run." >&2

sumdb: # Go with its packages for checksum databases, which read our log too: Debian's, where they can be had
	@{ command -v go && test -d /usr/share/gocode/src/golang.org/x/mod/sumdb; } >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing Go for the tests ..." && apt-get -qq update \
		&& DEBIAN_FRONTEND=noninteractive apt-get -qq -y install golang-go golang-golang-x-mod-dev >/dev/null; } || \
		echo "There is no Go with golang.org/x/mod; the tests that need it are not run." >&2

# What cannot be installed beside Assay (producers of lineage, Spark), each in an environment of its own. Where one cannot
# be had (no network), its tests say so and are skipped; where CI is set they fail.
peers: java $(PEERS:%=$(VENV)/peers/%.stamp)

$(VENV)/peers/%.stamp: tests/producers/%.txt | venv
	@echo "Installing $* for the tests into $(VENV)/peers: half a minute the first time ..."
	@rm -f $@ && $(BIN)/python -m venv --clear --without-pip $(VENV)/peers/$* \
		&& $(BIN)/python -m pip --python $(VENV)/peers/$*/bin/python install -qq --progress-bar off --no-compile -r $< \
		&& touch $@ \
		|| echo "$* could not be installed; the tests that need it are not run." >&2

clean: ## remove caches and builds; .venv and the folders of demo and service stay
	@rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
