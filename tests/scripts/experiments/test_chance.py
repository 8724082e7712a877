import numpy as np
import pytest

from scripts.experiments.chance import CellField, SmoothField, hashed, key_of, normal, uniform

PLACES = np.arange(300)


def test_hashes_are_even_and_seeds_and_streams_differ() -> None:
    values = uniform(key_of(1, "a"), PLACES[None, :], PLACES[:, None])

    assert abs(values.mean() - 0.5) < 0.005
    assert abs(np.histogram(values, bins=16)[0] / values.size - 1 / 16).max() < 0.003
    for other in (key_of(2, "a"), key_of(1, "b")):
        there = uniform(other, PLACES[None, :], PLACES[:, None])
        assert abs(np.corrcoef(values.ravel(), there.ravel())[0, 1]) < 0.01


def test_neighbours_are_not_alike_and_negative_places_count() -> None:
    values = normal(key_of(3, "n"), PLACES[None, :] - 150, PLACES[:, None] - 150)

    assert abs(np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1]) < 0.01
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(1, abs=0.02)
    assert len(np.unique(hashed(key_of(3, "n"), PLACES - 150, PLACES))) == 300


def test_smooth_fields_have_unit_variance_at_any_phase_and_agree_between_windows_and_points() -> None:
    field = SmoothField(key_of(0, "f"), 4.0)
    xs, ys = np.arange(0, 900, 1.0), np.arange(-300, 500, 1.0)
    whole = field.grid(xs, ys)

    assert np.allclose(whole[100:200, 50:150], field.grid(xs[50:150], ys[100:200]), atol=1e-5)
    assert np.allclose(whole[:20, :30], field.at(*np.meshgrid(xs[:30], ys[:20])), atol=1e-4)
    assert [whole[:, phase::4].std() for phase in range(4)] == pytest.approx([1] * 4, abs=0.05)


def test_nearest_finds_the_sites_that_sites_lists() -> None:
    cells = CellField(5, "c", 10.0, 0.3)
    sites = cells.sites(-30, -30, 130, 130)
    x, y = np.meshgrid(np.arange(0, 100, 3.0), np.arange(0, 100, 3.0))

    distance, border, owner = cells.nearest(x, y)

    gaps = np.sort(np.hypot(x[..., None] - sites.x_um, y[..., None] - sites.y_um), axis=-1)
    assert np.allclose(distance, gaps[..., 0])
    assert np.mean(np.isclose(border, (gaps[..., 1] - gaps[..., 0]) / 2)) > 0.99
    assert len(np.unique(owner)) == pytest.approx(100, abs=35)
