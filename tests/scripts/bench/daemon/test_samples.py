"""What counts as flat, and what as growth; and that a look at a process sees what it has."""

from __future__ import annotations

import csv
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from scripts.bench.daemon.samples import MIB, Sample, save_samples, take_sample, trends

FLAT = Sample(0.0, 200.0, 8, 30, 0, 1.0, 1.0, 1.0, 1.0, 1.0)


def samples(count: int = 60, **per_sample: float) -> list[Sample]:
    grown = {name: [getattr(FLAT, name) + i * step for i in range(count)] for name, step in per_sample.items()}
    return [
        replace(FLAT, seconds=30.0 * i, **{name: values[i] for name, values in grown.items()}) for i in range(count)
    ]


@pytest.mark.parametrize("name", ["rss_mib", "threads", "handles", "store_mib"])
def test_slow_leak_is_seen(name: str) -> None:
    found = {t.name: t for t in trends(samples(**{name: 0.5}), {name: 10.0}, warm_up=1 / 3)}
    assert found[name].per_hour == pytest.approx(60.0) and not found[name].is_flat
    assert "GROWS" in str(found[name])


def test_growth_that_ends_with_the_warm_up_is_none() -> None:
    warm = [replace(s, rss_mib=min(200.0 + i * 20, 300.0)) for i, s in enumerate(samples())]
    assert all(t.is_flat for t in trends(warm, {"rss_mib": 1.0}, warm_up=1 / 3))


def test_noise_without_slope_is_flat() -> None:
    noisy = [replace(s, handles=30 + i % 3) for i, s in enumerate(samples())]
    (handles,) = [t for t in trends(noisy, {"handles": 4.0}, warm_up=0) if t.name == "handles"]
    assert handles.is_flat and (handles.least, handles.most) == (30, 32)


@pytest.mark.parametrize(("leak", "is_flat"), [(0.0, True), (0.5, False)])
def test_looks_into_the_middle_of_a_training_hide_no_leak_and_feign_none(leak: float, is_flat: bool) -> None:
    late = [
        replace(s, rss_mib=s.rss_mib + (80 if i % 4 == i // 20 else 0)) for i, s in enumerate(samples(rss_mib=leak))
    ]
    (memory,) = [t for t in trends(late, {"rss_mib": 30.0}, warm_up=0) if t.name == "rss_mib"]
    assert memory.is_flat is is_flat and memory.per_hour == pytest.approx(leak * 120, abs=10)


def test_look_sees_threads_open_files_and_sizes(tmp_path: Path) -> None:
    me = psutil.Process()
    (tmp_path / "backups" / "aa").mkdir(parents=True)
    before = take_sample(me, 0.0, [tmp_path])
    (tmp_path / "backups" / "aa" / "x").write_bytes(b"0" * MIB)
    (tmp_path / "store.sqlite").write_bytes(b"0" * (MIB // 2))
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    with (tmp_path / "opened").open("w"):
        after = take_sample(me, 1.0, [tmp_path])
    done.set()
    thread.join()
    assert after.threads == before.threads + 1 and after.handles == before.handles + 1
    assert (after.backups_mib, after.store_mib) == (1.0, 0.5) and after.rss_mib > 1


def test_samples_are_kept_as_a_table(tmp_path: Path) -> None:
    save_samples(tmp_path / "s.csv", samples(3))
    with (tmp_path / "s.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["seconds"]) for row in rows] == [0, 30, 60] and rows[0]["threads"] == "8"
