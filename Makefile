# One environment, .venv, made from constraints.txt when it is missing or older than what it is made of.
# Another Python: make PYTHON=python3.12 test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-long lint bench bench-smoke torture soak kills fuzz conversions clean

demo: $(STAMP)
	$(BIN)/slidebridge demo --output demo

# Files of tests side by side, one thread each: one after another they take twice as long
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --durations=15

SMOKE := $(BIN)/python -m scripts.bench --smoke

# The same examples for everyone, so that one commit has one result; test-long looks at others each time
test: lint
	$(PYTEST) -m "not long" --hypothesis-seed=0
	$(SMOKE)

test-long: lint
	$(PYTEST)
	$(BIN)/python -m scripts.bench.fuzz $(FUZZ)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell bridge models scripts hooks tests README.md CHANGELOG.md pyproject.toml Makefile

# Everything beside others, into docs/benchmarks.md; some of it: make bench BENCH="raster codecs"
bench: $(STAMP)
	$(BIN)/python -m scripts.bench $(BENCH) --write

# The same at small sizes: fails when a ratio to another in the same run falls, or growth with size rises
bench-smoke: $(STAMP)
	$(SMOKE)

# Some six minutes per tool and kind of file system; one of them: make torture TORTURE="--tool qupath --mode exchange"
TORTURE ?= --tool all --mode all
torture: $(STAMP)
	$(BIN)/python -m scripts.bench.torture $(TORTURE)

# Half an hour of the daemon with a save every four seconds: make soak SOAK="--minutes 5 --keep FOLDER"
soak: $(STAMP)
	$(BIN)/python -m scripts.bench.daemon.soak $(SOAK)

# The daemon killed at 100 random instants; a quarter of an hour: make kills KILLS="--kills 10 --seed 1"
kills: $(STAMP)
	$(BIN)/python -m scripts.bench.daemon.kills $(KILLS)

# 100,000 mutated inputs for each codec; from real files as well: make fuzz FUZZ="--data FOLDER"
fuzz: $(STAMP)
	$(BIN)/python -m scripts.bench.fuzz $(FUZZ)

# Every file of a folder into every format, as one table: make conversions DATA=FOLDER
DATA ?= ../shared/data
conversions: $(STAMP)
	$(BIN)/python -m scripts.bench.conversions $(DATA)

clean:
	rm -rf $(VENV) .bench demo build dist

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'SlideBridge needs Python 3.11 or newer; try: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)
