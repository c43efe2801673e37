# make setup | demo | test | check | bench | clean
# Each target sets up what it needs in .venv/ of this checkout; the second time that takes no time.
# ARGS goes through: make test ARGS="tests/ledger -k journal", make demo ARGS="--keep", make bench ARGS="--quick".

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
ARGS ?=
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo test check bench clean

setup: .venv/ready

# The lock holds every package with its hashes, the build backend of the editable install included.
.venv/ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Strandline needs Python 3.11, 3.12 or 3.13 with its venv module" \
		"(Debian, Ubuntu: apt install python3-venv). Name one with: make PYTHON=/path/to/python3.12 setup"; exit 1; }
	@rm -f $@
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "setting up .venv with $(PYTHON)"; "$(PYTHON)" -m venv --clear .venv; }
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/strandline demo $(ARGS)

test: setup
	$(BIN)/pytest $(ARGS)

# Style, types, and who may import whom. (tests/test_tidy.py holds the rest of the rules.)
check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python tests/bench $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
