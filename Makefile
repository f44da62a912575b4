# Every target makes what it needs: a virtual environment of its own, and the packages in it.

PYTHON ?= python3
VENV := .venv
OLD := .venv-sqlalchemy-2.0
BIN := $(VENV)/bin
WORKERS := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
PYTEST := pytest -n $(WORKERS) --dist worksteal
MAPPING := tests/model tests/join tests/storm/test_hearing.py tests/storm/test_async.py tests/storm/test_own_engines.py tests/storm/test_rehearsal.py
PLUGIN := across or crashed or breaks_no_test or savepoint_gave or marked_test or workers_share
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: help storm test test-all check check-old release format lint types layers bench claims docs dist page fuzz drivers mutants clean

help:  ## show what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

storm: $(VENV)/installed  ## storm SQLite with the first scenario of the catalogue
	$(BIN)/idstorm run autoincrement

test: $(VENV)/installed-dev  ## run the tests, except those that only `check` or `release` runs
	$(BIN)/$(PYTEST) -m "not thorough and not release"

check: format lint types layers check-old $(VENV)/installed-dev  ## everything that has to be green before a commit
	$(BIN)/$(PYTEST) -m "not release"

check-old: $(OLD)/installed-dev  ## what depends on SQLAlchemy and pytest, on the oldest of them that are supported
	$(OLD)/bin/$(PYTEST) -q -m "not release" -k "not mysql and not mariadb" $(MAPPING)
	$(OLD)/bin/$(PYTEST) -q -m "not release" -k "claim and sqlite and not flask or $(PLUGIN)" tests/catalogue/test_claims.py tests/pytest_plugin

test-all: $(VENV)/installed-dev  ## run all tests
	$(BIN)/$(PYTEST)

release: format lint types layers check-old test-all docs dist page drivers fuzz mutants bench  ## everything there is; takes hours

format: $(VENV)/installed-dev
	$(BIN)/ruff format --check .

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

layers: $(VENV)/installed-dev
	$(BIN)/lint-imports

bench: $(VENV)/installed-dev  ## measure overhead, joining, start, judge, census, versus and explore; takes a while
	$(BIN)/python -m bench

claims: $(VENV)/installed-dev  ## storm the whole catalogue on all four databases; takes ten minutes
	$(BIN)/$(PYTEST) tests/catalogue/test_claims.py

docs: $(VENV)/installed-dev  ## make a site of docs/, with a page on every scenario, in build/docs
	$(BIN)/python $(PIP) --editable '.[docs]'
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs

dist: $(VENV)/installed-dev  ## build what is published, and check it
	$(BIN)/python $(PIP) build twine
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*

page: $(VENV)/installed-dev  ## open the pages of reports in Chromium, and leave pictures of them in build/pages
	$(BIN)/python $(PIP) --editable '.[browser]'
	$(BIN)/pytest -q -p no:xdist tests/browser.py

fuzz: $(VENV)/installed-dev  ## damage small real runs at random, and let check read them; takes minutes
	$(BIN)/pytest -q -p no:xdist tests/fuzz.py

drivers: $(VENV)/installed-dev  ## storm the quick catalogue with every driver; takes an hour
	$(BIN)/pytest -q -p no:xdist tests/drivers.py

mutants: $(VENV)/installed-dev  ## put faults into the judge, to see that its tests notice each; takes half an hour
	$(BIN)/python tests/mutants.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(OLD)/bin/python:
	$(PYTHON) -m venv $(OLD)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python $(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python $(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/installed

$(OLD)/installed-dev: pyproject.toml | $(OLD)/bin/python
	$(OLD)/bin/python $(PIP) --editable '.[all]' 'SQLAlchemy<2.1' alembic hypothesis psutil 'pytest==8.0.*' 'pytest-xdist==3.5.*' sqlmodel
	@touch $@

clean:  ## remove what these targets made, but no results
	rm -rf $(VENV) $(OLD) .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
