# Graytrace: the commands a developer and a newcomer need.
#   make install   an environment in .venv      make demo    three phantom patients, measured and true change
#   make test      the whole test suite         make check   style, types, spelling, import rules, lint of rules and repository
#   make bench     accuracy and cost            make docs    the documentation's site, strict
#   make clean     remove what the commands above made
SHELL := bash
PYTHON ?= python3.11
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
BIN := .venv/bin
PACKAGES := .venv/.packages
INSTALLED := .venv/.installed

.DEFAULT_GOAL := install
.PHONY: install demo test check docs bench lock clean

install: $(INSTALLED)

$(PACKAGES): requirements/dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

$(INSTALLED): $(PACKAGES) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	touch $@

demo: install
	$(BIN)/graytrace phantom demo/phantoms --patients 3 --jobs $$(( $(CORES) < 3 ? $(CORES) : 3 ))
	$(BIN)/snakemake --cores $(CORES) --configfile docs/examples/demo.yaml
	$(BIN)/graytrace truth demo/results demo/phantoms-truth

test: install
	$(BIN)/pytest

check: install
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
docs: install
	$(BIN)/python docs/generate.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: install
	$(BIN)/python benchmarks/run.py --cores $(CORES)

# One version of each package for every Python that is supported: the same input shall give the same number.
lock: $(PACKAGES)
	for list in runtime dev cluster; do \
	  $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	    --no-header --output-file requirements/$$list.txt requirements/$$list.in || exit 1; \
	done

clean:
	rm -rf .venv .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache demo results bench-work build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf *.egg-info
