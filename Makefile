# Graytrace: the commands a developer and a newcomer need.
#   make demo      three phantom patients, measured and true change      make install   an environment in .venv
#   make demo-full the same with voxels of 1 mm, as scans of patients have
#   make test      the whole test suite                                  make develop   the same with the tools of checks and tests
#   make check     style, types, spelling, import rules, lint            make docs      the documentation's site, strict
#   make bench     accuracy and cost                                     make clean     remove what the commands above made
SHELL := bash
PYTHON ?= python3.11
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
BIN := .venv/bin
PACKAGES := .venv/.packages
COMPILED := .venv/.compiled
TOOLS := .venv/.tools
INSTALLED := .venv/.installed
# Who may use the environment may be unable to write to it. Packages ship files for other Pythons: that those fail is no fault.
COMPILE = $(BIN)/python -m compileall -qq -j $(CORES) .venv/lib >/dev/null || true

.DEFAULT_GOAL := install
.PHONY: install develop demo demo-full test check docs bench lock clean

install: $(INSTALLED) $(COMPILED)

develop: $(INSTALLED) $(TOOLS)

$(PACKAGES): requirements/runtime.txt requirements/install.sh
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	requirements/install.sh .venv --require-hashes -r requirements/runtime.txt
	touch $@

$(TOOLS): $(PACKAGES) requirements/dev.txt
	requirements/install.sh .venv --require-hashes -r requirements/dev.txt
	$(COMPILE)
	touch $@

$(INSTALLED): $(PACKAGES) pyproject.toml
	requirements/install.sh .venv --no-deps --no-build-isolation --no-index --editable .
	touch $@

$(COMPILED): $(PACKAGES)
	$(COMPILE)
	touch $@

# Not everything is compiled before, but what is used is kept: each of some fifty steps would compile it anew otherwise.
demo: $(INSTALLED)
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/graytrace demo demo --cores $(CORES)

demo-full: $(INSTALLED)
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/graytrace demo demo-full --voxel-mm 1 --cores $(CORES)

test: develop
	$(BIN)/pytest

check: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile pipeline/rules
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/repo-review .
	$(BIN)/snakemake --lint
	$(BIN)/pytest -n0 tests/unit/test_places.py tests/unit/test_docstrings.py tests/unit/test_size.py
	$(MAKE) docs

# The site lands in build/site; strict: a broken link or a page out of date is an error.
docs: develop
	$(BIN)/python docs/generate.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: develop
	$(BIN)/python benchmarks/run.py --cores $(CORES)

# One version of each package for every Python that is supported: the same input shall give the same number.
lock: $(TOOLS)
	for list in runtime dev cluster; do \
	  $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	    --no-header --output-file requirements/$$list.txt requirements/$$list.in || exit 1; \
	done

clean:
	rm -rf .venv .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache demo demo-full results bench-work build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf *.egg-info
