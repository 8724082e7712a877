from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from bridge.errors import AnnotationFileError
from scripts.bench.fuzz.byte_mutation import mutate_bytes
from scripts.bench.fuzz.laws import TO_DISK_EVERY, BrokenLawError, FileLaws, Verdict, laws_of
from scripts.bench.fuzz.run import SLOW_SECONDS, STRUCTURED, fuzz, make_input
from scripts.bench.fuzz.seeds import make_seeds

CODECS = tuple(STRUCTURED)
FILES = ("xml", "geojson", "qpdata")


@pytest.mark.parametrize("codec", CODECS)
def test_no_mutated_input_breaks_a_law(codec: str):
    tally = fuzz(codec, make_seeds(codec), range(1000))
    assert [f"#{f.number} {f.what}" for f in tally.failures] == []
    assert tally.inputs == 1000
    assert min(tally.verdicts[v.value] for v in (Verdict.REFUSED, Verdict.WRITTEN)) > 50, "the mutators miss the point"


@pytest.mark.long
@pytest.mark.parametrize("codec", CODECS)
def test_none_of_many_mutated_inputs_breaks_a_law(codec: str, shared_data: Path):
    tally = fuzz(codec, make_seeds(codec, shared_data), range(100_000, 110_000))
    assert [f"#{f.number} {f.what}" for f in tally.failures] == []


@pytest.mark.parametrize("codec", CODECS)
def test_an_input_can_be_made_again(codec: str):
    seeds = make_seeds(codec)
    inputs = [make_input(codec, seeds, number) for number in range(50)]
    assert inputs == [make_input(codec, seeds, number) for number in range(50)]
    assert len(set(inputs)) > 25


@pytest.mark.parametrize("codec", FILES)
def test_every_seed_is_read_and_written(codec: str, tmp_path: Path):
    with laws_of(codec, tmp_path) as check:
        verdicts = [check(seed, number) for number, seed in enumerate(make_seeds(codec))]
    assert set(verdicts) == {Verdict.WRITTEN}


def _sabotaged(check, **methods) -> FileLaws:
    laws = check.__self__
    kind = type("Sabotaged", (type(laws.source),), methods)
    values = {name: getattr(laws.source, name) for name in [f.name for f in fields(laws.source) if f.init]}
    return replace(laws, source=kind(**values))


@pytest.mark.parametrize("codec", FILES)
def test_a_write_that_loses_an_object_is_caught(codec: str, tmp_path: Path):
    seed = make_seeds(codec)[1]
    with laws_of(codec, tmp_path) as check:
        source = check.__self__.source

        def parse(self, data, entry):
            found = source.parse(data, entry)
            return found if data == seed else replace(found, annotations=found.annotations[1:])

        laws = _sabotaged(check, parse=parse)
        with pytest.raises(BrokenLawError, match="lost"):
            laws.check(seed, 1)


@pytest.mark.parametrize("codec", FILES)
def test_a_reader_that_raises_anything_else_is_caught(codec: str, tmp_path: Path):
    with laws_of(codec, tmp_path) as check:

        def parse(self, data, entry):
            raise KeyError("x")

        with pytest.raises(KeyError):
            _sabotaged(check, parse=parse).check(make_seeds(codec)[0], 1)


def test_an_error_of_two_lines_is_caught(tmp_path: Path):
    with laws_of("xml", tmp_path) as check:

        def parse(self, data, entry):
            raise AnnotationFileError("one\ntwo")

        with pytest.raises(BrokenLawError, match="one clear line"):
            _sabotaged(check, parse=parse).check(b"", 1)


def test_a_write_after_a_failed_read_is_caught(tmp_path: Path):
    seed = make_seeds("xml")[0]
    with laws_of("xml", tmp_path) as check:
        reads = []

        def parse(self, data, entry):
            reads.append(data)
            if len(reads) == 1:
                raise AnnotationFileError("can't be read")
            return original(data, entry)

        original = check.__self__.source.parse
        with pytest.raises(BrokenLawError, match="was written to"):
            _sabotaged(check, parse=parse).check(seed, TO_DISK_EVERY)


def test_slow_inputs_are_caught(monkeypatch: pytest.MonkeyPatch):
    ticks = iter(range(0, 1000, int(SLOW_SECONDS) + 1))
    monkeypatch.setattr("time.process_time", lambda: float(next(ticks)))
    tally = fuzz("xml", make_seeds("xml"), range(3))
    assert ["took" in failure.what for failure in tally.failures] == [True] * 3


def test_mutating_json_leaves_nothing_behind_for_the_next_input():
    seeds = make_seeds("geojson")
    first = make_input("geojson", seeds, 7)
    for number in range(300):
        make_input("geojson", seeds, number)
    assert make_input("geojson", seeds, 7) == first


def test_byte_mutation_takes_empty_files():
    import random

    assert all(isinstance(mutate_bytes(b"", random.Random(n)), bytes) for n in range(100))
