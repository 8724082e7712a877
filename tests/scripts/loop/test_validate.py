"""Every champion on the hold-out: on a project of five slides, whole ones held out, that was trained four times."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from learn_support import NOW, classroom
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score

from bridge.coords import Window
from bridge.errors import ConfigError, SlideError
from bridge.slides import Slide, open_slide
from bridge.store import Store
from lab_support import SETTINGS, SIDE, Lab, blobs, draw_slide, xml_of
from models.checkpoints import load_checkpoint, save_checkpoint, take_over
from models.metrics import Confusion
from scripts.loop.prequential import PrequentialScore
from scripts.loop.training_run import predictor_of
from scripts.loop.validate import validate
from scripts.loop.validate_champions import judged_models, parse_iterations
from scripts.loop.validate_figures import f1_figure
from scripts.loop.validate_results import Validation, ValidationRequest
from scripts.loop.validate_text import as_json, lines, summaries
from scripts.project import open_project, take_lease

pytestmark = pytest.mark.heavy
MPP = 12.0  # so coarse that some blobs are lesions, and some isolated cells
SLIDES = {"s1": 1, "s2": 2, "s3": 3, "s4": 4, "s5": 5}  # name → seed of its blobs
HELD_OUT = ("s1", "s4", "s5")  # by the hashes of their names


def outlines(name: str) -> list[shapely.Polygon]:
    # Off the grid: of a pixel centre that lies on an outline nobody can say in which shape it is.
    return [shapely.Point(x + 0.3, y + 0.2).buffer(r) for x, y, r in blobs(SLIDES[name])]


def save(lab: Lab, name: str, shapes: list[shapely.Polygon]) -> None:
    (lab.root / f"{name}.xml").write_bytes(xml_of({"Blob": [(shape, "") for shape in shapes]}, MPP))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = Lab(tmp_path_factory.mktemp("trained"))
    for name, seed in SLIDES.items():
        draw_slide(lab.root / f"{name}.tif", seed, (MPP, MPP))
        save(lab, name, outlines(name))
    settings = SETTINGS.replace("mpp = 1.0", f"mpp = {2 * MPP}")
    more = '\n[labels]\ncomplete = "slide"\n[holdout]\nfraction = 0.55\n[slides]\n'
    (lab.root / "slidebridge.toml").write_text(settings + more, "utf-8")
    with classroom(lab) as room:
        for iteration in range(1, 5):
            assert room.learn(is_forced=True).iteration == iteration
    validate(lab.root, ValidationRequest())  # kept from here on
    return lab


@pytest.fixture
def project(trained: Lab, tmp_path: Path) -> Lab:
    """A copy to change."""
    return Lab(Path(shutil.copytree(trained.root, tmp_path / "copy")))


@pytest.fixture
def fresh(project: Lab) -> Lab:
    """One in which nothing was judged yet."""
    shutil.rmtree(project.root / ".slidebridge" / "validation")
    return project


NEWEST = frozenset({4})
LAST_TWO = frozenset({3, 4})  # enough of them to show it, in less time


def facts(validation: Validation) -> Any:
    """Return what doesn't depend on when it was judged, and how long that took."""
    found = json.loads(json.dumps(as_json(validation)))
    found.pop("judged_now")
    for slide in (slide for iteration in found["iterations"] for slide in iteration["slides"]):
        slide.pop("seconds")
    return found


def by_hand(lab: Lab, checkpoint_id: str) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Return truth and prediction of each held-out slide, put together without anything of the validation."""
    project = open_project(lab.root)
    predictor = predictor_of(project.settings, load_checkpoint(project.checkpoints / checkpoint_id))
    found = {}
    for name in HELD_OUT:
        rows, columns = (np.mgrid[: SIDE // 2, : SIDE // 2] + 0.5) * 2
        truth = np.zeros(rows.shape, bool)
        for shape in outlines(name):
            truth |= shapely.contains_xy(shape, columns, rows)
        with open_slide(lab.root / f"{name}.tif", mpp=(MPP, MPP)) as slide:
            mapped = predictor.predict_window(slide, Window(0, 0, 256, 256, 2.0))
        found[name] = truth, mapped.probabilities.argmax(axis=0)[: SIDE // 2, : SIDE // 2] == 1
    return found


def test_every_iteration_is_judged_on_every_held_out_slide(trained: Lab) -> None:
    found = validate(trained.root, ValidationRequest())
    assert [result.model.iteration for result in found.iterations] == [1, 2, 3, 4]
    assert [[slide.slide for slide in result.slides] for result in found.iterations] == [list(HELD_OUT)] * 4
    assert len({result.model.checkpoint_id for result in found.iterations}) == 4


def test_numbers_are_those_of_an_independent_recomputation(trained: Lab) -> None:
    summary = summaries(validate(trained.root, ValidationRequest()))[1]
    arrays = by_hand(trained, summary.result.model.checkpoint_id)
    truth, predicted = (np.concatenate([pair[i].ravel() for pair in arrays.values()]) for i in (0, 1))
    assert (summary.confusion.counts == confusion_matrix(truth, predicted)).all()
    blob = summary.classes[0]
    assert blob.pooled.scores.f1 == pytest.approx(f1_score(truth, predicted))
    assert blob.pooled.scores.iou == pytest.approx(jaccard_score(truth, predicted))
    per_slide = [f1_score(a.ravel(), b.ravel()) for a, b in arrays.values()]
    assert blob.spreads["f1"].mean == pytest.approx(statistics.mean(per_slide))
    assert blob.spreads["f1"].sd == pytest.approx(statistics.stdev(per_slide))
    assert 0.1 < blob.pooled.scores.f1 < 1, "a net that has learned something, and not all"


def test_a_second_validation_judges_nothing_and_says_the_same(fresh: Lab) -> None:
    first = validate(fresh.root, ValidationRequest(iterations=LAST_TWO))
    second = validate(fresh.root, ValidationRequest(iterations=LAST_TWO))
    assert (first.judged_now, second.judged_now) == (6, 0)
    assert facts(first) == facts(second)


def test_only_what_changed_is_judged_again(project: Lab) -> None:
    before = facts(validate(project.root, ValidationRequest()))
    save(project, "s4", outlines("s4")[:-5])
    save(project, "s2", outlines("s2")[:-5])  # trains: no judge's business
    after = validate(project.root, ValidationRequest())
    assert after.judged_now == 4
    assert validate(project.root, ValidationRequest()).judged_now == 0
    changed = [
        old["slide"]
        for old, new in zip(before["iterations"][0]["slides"], facts(after)["iterations"][0]["slides"], strict=True)
        if old != new
    ]
    assert changed == ["s4"]


def test_stopped_it_keeps_what_it_has_and_goes_on_from_there(fresh: Lab) -> None:
    asked = iter(range(100))
    first = validate(fresh.root, ValidationRequest(iterations=LAST_TWO, stop=lambda: next(asked) >= 5))
    assert first.is_stopped
    assert 3 <= first.judged_now < 6
    assert [result.model.iteration for result in first.iterations] == [4], "the newest is judged first"
    assert first.missing == ("training 3: stopped before it was judged",)
    second = validate(fresh.root, ValidationRequest(iterations=LAST_TWO))
    assert first.judged_now + second.judged_now == 6
    assert len(second.iterations) == 2


def test_pruned_weights_are_named_and_what_they_scored_stays_known(project: Lab) -> None:
    second = validate(project.root, ValidationRequest()).iterations[1].model.checkpoint_id
    shutil.rmtree(project.root / ".slidebridge" / "checkpoints" / second)
    kept = validate(project.root, ValidationRequest())
    assert len(kept.iterations) == 4
    assert not kept.iterations[1].model.is_there
    shutil.rmtree(project.root / ".slidebridge" / "validation" / second)
    gone = validate(project.root, ValidationRequest())
    assert [result.model.iteration for result in gone.iterations] == [1, 3, 4]
    assert gone.missing == ("training 2: its weights were pruned ([store] keep_checkpoints)",)
    assert "not judged: training 2: its weights were pruned ([store] keep_checkpoints)" in lines(gone)


def test_damaged_weights_are_named_and_the_others_judged(fresh: Lab) -> None:
    with classroom(fresh) as room:
        third = room.store.runs()[2].checkpoint_id or ""
    (fresh.root / ".slidebridge" / "checkpoints" / third / "weights.safetensors").write_bytes(b"no")
    found = validate(fresh.root, ValidationRequest(iterations=LAST_TWO))
    assert [result.model.iteration for result in found.iterations] == [4]
    assert "training 3: checkpoint" in found.missing[0]


def test_a_damaged_judgement_is_made_again(project: Lab) -> None:
    for path in (project.root / ".slidebridge" / "validation").glob("*/*.json"):
        path.write_bytes(b'{"judged": ')
        break
    assert validate(project.root, ValidationRequest()).judged_now == 1


def test_a_damaged_slide_is_left_out_for_all_and_said(fresh: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.loop import validate as validating

    class Damaged(Slide):
        def __init__(self, slide: Slide) -> None:
            super().__init__(slide.path, slide.pyramid, slide.properties)

        def read_level(self, level: int, x: int, y: int, width: int, height: int) -> Any:
            raise SlideError("a tile is cut")

        def close(self) -> None:
            pass

    def opens(path: Path, **options: Any) -> Slide:
        slide = open_slide(path, **options)
        return Damaged(slide) if path.name == "s4.tif" else slide

    monkeypatch.setattr(validating, "open_slide", opens)
    found = validate(fresh.root, ValidationRequest(iterations=LAST_TWO))
    assert found.problems == ("s4: a tile is cut",)
    assert [[slide.slide for slide in result.slides] for result in found.iterations] == [["s1", "s5"]] * 2


def test_a_held_out_slide_whose_save_is_not_believed_is_said(project: Lab) -> None:
    save(project, "s4", outlines("s4")[:2])  # more than half is gone: perhaps by mistake
    save(project, "s2", outlines("s2")[:2])  # trains: no judge's business
    found = validate(project.root, ValidationRequest())
    assert [slide.slide for slide in found.iterations[0].slides] == ["s1", "s5"]
    (line,) = found.problems
    assert line.startswith("s4: the last save lost more than half of what was drawn")


def test_nothing_of_peoples_or_of_the_loops_is_touched(fresh: Lab) -> None:
    def contents() -> dict[str, str]:
        files = (p for p in fresh.root.rglob("*") if p.is_file() and "validation" not in p.parts)
        kept = (p for p in files if p.suffix not in (".db-wal", ".db-shm", ".sqlite-wal", ".sqlite-shm"))
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}

    before = contents()
    assert validate(fresh.root, ValidationRequest(iterations=NEWEST)).judged_now == 3
    assert contents() == before


def test_a_daemon_may_hold_the_lease(fresh: Lab) -> None:
    lease = take_lease(open_project(fresh.root), "watch")
    try:
        assert validate(fresh.root, ValidationRequest(iterations=NEWEST)).judged_now == 3
    finally:
        lease.release()


def test_froc_is_of_the_slides_that_are_judged_whole(trained: Lab, project: Lab) -> None:
    blob = summaries(validate(trained.root, ValidationRequest()))[-1].classes[0]
    assert blob.froc is not None, blob.froc_missing
    assert blob.froc.slides == 3
    assert 0 < blob.froc.lesions < blob.pooled.objects.found + blob.pooled.objects.missed, "isolated cells don't count"
    text = (project.root / "slidebridge.toml").read_text("utf-8").replace('complete = "slide"', 'complete = "roi"')
    (project.root / "slidebridge.toml").write_text(text, "utf-8")
    for name in SLIDES:
        layers = {"Blob": [(s, "") for s in outlines(name)], "ROI": [(shapely.box(0, 0, 192, 192), "")]}
        (project.root / f"{name}.xml").write_bytes(xml_of(layers, MPP))
    part = summaries(validate(project.root, ValidationRequest(iterations=NEWEST)))[-1].classes[0]
    assert part.froc is None
    assert "judged whole" in (part.froc_missing or "")


def test_iterations_can_be_chosen(trained: Lab) -> None:
    found = validate(trained.root, ValidationRequest(iterations=parse_iterations("1, 3-9")))
    assert [result.model.iteration for result in found.iterations] == [1, 3, 4]
    with pytest.raises(ConfigError, match="no training with the number 7"):
        validate(trained.root, ValidationRequest(iterations=frozenset({7})))


def test_weights_that_were_taken_over_are_iteration_0(project: Lab) -> None:
    folder = project.root / ".slidebridge" / "checkpoints"
    with classroom(project) as room:
        origin = load_checkpoint(folder / (room.store.runs()[0].checkpoint_id or ""))
    taken = take_over(replace(origin, card=replace(origin.card, iteration=9)), folder, ("Background", "Blob"))
    found = validate(project.root, ValidationRequest(iterations=frozenset({0, 1})))
    assert [result.model.iteration for result in found.iterations] == [0, 1]
    assert found.iterations[0].model.checkpoint_id == taken.id
    zero, one = summaries(found)
    assert (zero.confusion.counts == one.confusion.counts).all(), "the same weights"


def test_a_project_that_lost_its_store_knows_its_champions_by_their_cards(trained: Lab, tmp_path: Path) -> None:
    with Store.open(tmp_path) as empty:
        models = judged_models(open_project(trained.root), empty)
    assert [(model.iteration, model.is_there) for model in models] == [(i, True) for i in range(1, 5)]


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,,2", "-2"])
def test_what_names_no_iterations_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="names no trainings"):
        parse_iterations(text)


def test_a_candidate_that_lost_is_judged_when_asked_for(project: Lab) -> None:
    with classroom(project) as room:
        room.store.start_run(NOW, kind="incremental", parent=None, data_hash="d")
        lost = room.store.runs()[0].checkpoint_id or ""
        saved = load_checkpoint(room.project.checkpoints / lost)
        other = save_checkpoint(room.project.checkpoints, saved.weights, replace(saved.card, iteration=5))
        room.store.finish_run(5, NOW, checkpoint_id=other.id, promoted=False, reason="worse", metrics={})

    def judged(**asked: Any) -> list[int]:
        found = validate(project.root, ValidationRequest(**asked))
        return [result.model.iteration for result in found.iterations]

    assert judged() == [1, 2, 3, 4]
    assert judged(with_candidates=True) == [1, 2, 3, 4, 5]
    assert judged(iterations=frozenset({5})) == [5], "named, it needs no other word"


def test_metadata_that_no_slide_has_is_refused(trained: Lab) -> None:
    with pytest.raises(ConfigError, match="--by grade: no held-out slide has such metadata"):
        validate(trained.root, ValidationRequest(by="grade"))


def test_a_project_without_model_or_hold_out_is_told_the_way(new_lab: Callable[[str], Lab], project: Lab) -> None:
    with pytest.raises(ConfigError, match=r"no model to judge yet.*slidebridge train"):
        validate(new_lab("empty").root, ValidationRequest())
    shutil.rmtree(project.root / ".slidebridge" / "validation")
    for name in HELD_OUT:
        (project.root / f"{name}.xml").unlink()
        (project.root / f"{name}.tif").unlink()
    with pytest.raises(ConfigError, match=r"nothing is held out to judge by yet \(2 labelled slides\)"):
        validate(project.root, ValidationRequest())


def test_the_figure_shows_the_means_and_what_was_foreseen(trained: Lab) -> None:
    found = summaries(validate(trained.root, ValidationRequest()))
    counts = np.array([[50, 10], [10, 30]], np.int64)
    foreseen = [PrequentialScore(2, 3, Confusion(counts, ("Background", "Blob")))]
    (axes,) = f1_figure(found, foreseen).axes
    (container,) = axes.containers
    line, _, (bars,) = container
    assert line.get_xdata().tolist() == [1, 2, 3, 4]
    assert line.get_ydata().tolist() == [s.classes[0].spreads["f1"].mean for s in found]
    heights = [segment[1][1] - segment[0][1] for segment in bars.get_segments()]
    assert heights == pytest.approx([2 * s.classes[0].spreads["f1"].sd for s in found])
    (dashed,) = [other for other in axes.lines if other.get_linestyle() == "--"]
    assert (list(dashed.get_xdata()), list(dashed.get_ydata())) == ([2], [pytest.approx(0.75)])


def test_the_command_prints_and_writes_the_same_numbers(trained: Lab, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = trained.run("validate", "--json", "--out", str(out))
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    names = {path.name for path in out.iterdir()}
    tables = {"iterations.csv", "slides.csv", "groups.csv", "confusion.csv", "froc.csv", "prequential.csv"}
    assert names == tables | {
        f"{f}.{kind}" for f in ("f1_by_iteration", "confusion", "froc") for kind in ("svg", "png")
    }
    with (out / "iterations.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["class"] == "Blob"]
    assert [int(row["iteration"]) for row in rows] == [1, 2, 3, 4]
    blobs_said = [iteration["classes"]["Blob"] for iteration in said["iterations"]]
    assert [float(row["f1_mean"]) for row in rows] == [one["per_slide"]["f1"]["mean"] for one in blobs_said]
    assert [float(row["froc"]) for row in rows] == [one["froc"]["score"] for one in blobs_said]
    assert sorted(said["written"]) == sorted(str(out / name) for name in names)
    text = trained.run("validate").stdout
    for iteration, one in enumerate(blobs_said, 1):
        (line,) = [line for line in text.splitlines() if line.startswith(f"{iteration} ")]
        assert f"{one['f1']:.3f}" in line
        assert f"{one['per_slide']['f1']['mean']:.3f} ± {one['per_slide']['f1']['sd']:.3f}" in line
