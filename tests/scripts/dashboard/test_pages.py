"""What the pages say, of projects in every state, and that nobody's text becomes a part of the page."""

from __future__ import annotations

import html
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import shapely
from dashboard_lab import BEFORE, DOOR, NOW, Board, make_project, opened, project_page, text_of
from qupath_lab import new_project

from bridge.store import JobKind, Store
from bridge.store.location import find_store
from lab_support import labelled, xml_of
from scripts.daemon.heartbeat import Beat, Doing, Heartbeat
from scripts.loop.loss_curve import CURVES, CurveWriter
from scripts.naming.hidden import hiding

HOSTILE = '<img src=x onerror="alert(1)">&amp;\'"</script><script>alert(2)</script>'


def test_a_project_nobody_worked_on_yet_is_shown_and_nothing_is_written(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab")
    before = sorted(path.name for path in root.rglob("*"))
    with opened(root) as board:
        said = text_of(project_page(board))
        for part in ("now", "learning", "slides", "curve"):
            assert board.client.get(f"/api/p/{board.project()}/{part}").status_code == 200
        assert board.client.get(board.slide()).status_code == 200
        board.client.get(f"/api{board.slide()}/outlines?left=0&top=0&right=384&bottom=384&unit=1")
    assert "no daemon is watching" in said and "slidebridge watch starts one" in said
    assert "No training yet" in said and "not yet" in said
    assert sorted(path.name for path in root.rglob("*")) == before


def test_looking_changes_no_file_of_a_project_with_history(lab: Path) -> None:
    def states() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(lab.rglob("*")) if path.is_file()}

    before = states()
    with opened(lab) as board:
        project_page(board)
        board.client.get(f"/api{board.slide()}/outlines?left=0&top=0&right=384&bottom=384&unit=1")
    assert states() == before


def test_a_store_of_another_version_is_not_brought_up_to_date(lab: Path) -> None:
    path = next(lab.rglob("store.sqlite"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0005'")
    connection.close()
    before = path.read_bytes()
    with opened(lab) as board:
        said = text_of(project_page(board))
    assert "another version of SlideBridge" in said and "slidebridge sync" in said
    assert path.read_bytes() == before


def test_a_store_that_a_newer_version_wrote_says_so(lab: Path) -> None:
    with sqlite3.connect(next(lab.rglob("store.sqlite"))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with opened(lab) as board:
        said = text_of(project_page(board))
    assert "update SlideBridge" in said and "sync" not in said


def test_a_training_is_told_with_its_scores_and_its_curve(lab: Path) -> None:
    with opened(lab) as board:
        page = project_page(board)
        facts = board.client.get(f"/api/p/{board.project()}/curve").json()
    said = text_of(page)
    shown = text_of(re.sub("<script.*?</script>", "", page, flags=re.DOTALL))
    assert not re.search("(?i)iteration|promoted|champion|incremental", shown)
    assert "Step 6 of 6, loss " in said and "in use" in said
    assert "the new model is used from now on; the first model" in said
    assert facts["running"] is False and facts["headline"].startswith("The last one: training on new labels")
    assert facts["nets"][0]["steps"][-1] == 6


def test_of_the_trainings_one_is_in_use_and_a_killed_one_is_no_longer_under_way(lab: Path) -> None:
    with Store.open(find_store(lab / ".slidebridge", None, lab)) as store:  # type: ignore[arg-type]
        for number, (promoted, score) in enumerate([(True, 0.8), (False, 0.7)], 2):
            store.start_run(NOW, kind="nightly", parent=None, data_hash=str(number))
            end = {"checkpoint_id": str(number), "promoted": promoted, "reason": "", "metrics": {"score": score}}
            store.finish_run(number, NOW, **end)  # type: ignore[arg-type]
        store.start_run(NOW, kind="nightly", parent=None, data_hash="killed")
    with opened(lab) as board:
        page = board.client.get(f"/api/p/{board.project()}/learning").text
    assert re.findall(r'class="badge \w+">([^<]*)<', page) == [
        "broken off, goes on later", "not better", "in use", "was in use",
    ]  # fmt: skip
    chart = json.loads(re.search(r'class="scores">(.*?)</script>', page)[1])  # type: ignore[index]
    assert chart["iterations"] == [1, 2, 3] and chart["series"][0]["values"] == [0.75, 0.8, 0.7]


def test_the_curve_grows_while_a_training_runs(lab: Path) -> None:
    clock = [NOW]
    with Store.open(find_store(lab / ".slidebridge", None, lab)) as store:  # type: ignore[arg-type]
        store.start_run(NOW, kind="nightly", parent=None, data_hash="x")
    heart = Heartbeat(lab / ".slidebridge", (str(lab),), "1", lambda: clock[0])
    heart.write(Beat((Doing(JobKind.NIGHTLY, NOW, None, "loss 0.5", 0.1),)))
    with opened(lab) as board, CurveWriter(lab / ".slidebridge" / CURVES, "nightly", lambda: clock[0]) as curve:
        address, seen, tag = f"/api/p/{board.project()}/curve", [], ""
        beginning = board.client.get(address).json()
        for step in (1, 40, 80):
            clock[0] = NOW + timedelta(seconds=step)
            curve.add("high", step, 100, 1 / step)
            answer = board.client.get(address, headers={"if-none-match": tag})
            tag = answer.headers["etag"]
            seen.append(answer.json())
            assert board.client.get(address, headers={"if-none-match": tag}).status_code == 304
    assert beginning["progress"] == "Getting ready for the first step", "the curve of the training before is no news"
    assert beginning["running"] and not beginning["nets"]
    assert [facts["running"] for facts in seen] == [True] * 3
    assert [facts["nets"][0]["steps"][-1] for facts in seen] == [1, 40, 80]
    assert seen[-1]["progress"] == "Step 80 of 100, loss 0.013, about 20 s left"
    assert seen[-1]["share"] == 0.8
    assert seen[-1]["headline"].startswith("Running now: training on all labels")


def test_what_the_daemon_does_waits_and_failed_is_told_in_words(lab: Path) -> None:
    with Store.open(find_store(lab / ".slidebridge", None, lab)) as store:  # type: ignore[arg-type]
        store.ask_job(JobKind.PREDICT, "case.tif", "a", NOW)
        failed = store.start_job(store.ask_job(JobKind.READ, "case.tif", "b", NOW).id, NOW)
        store.retry_job(failed.id, NOW, "case.xml is cut; save it again", NOW + timedelta(minutes=5))
    heart = Heartbeat(lab / ".slidebridge", (str(lab),), "1.2", lambda: NOW)
    heart.write(Beat((Doing(JobKind.PREDICT, NOW, "case", "2 of 5 tiles", 0.4),)))
    with opened(lab) as board:
        answer = board.client.get(f"/api/p/{board.project()}/now")
        rows = board.client.get(f"/api/p/{board.project()}/slides").json()["rows"]
    said = text_of(answer.text)
    assert "a daemon is watching since" in said and "watching, with failures" in said
    assert re.search(r"Predicting the slide : case since .* 40 % done, 2 of 5 tiles", said)
    assert "Waiting 1 × predicting the slide" in said
    assert "case.xml is cut; save it again" in said and "1 attempt, tried again at" in said
    assert rows[0]["bad"] and "reading the slide's annotations (failed)" in rows[0]["cells"][-1]["text"]
    assert f'href="{board.client.base}{board.slide()}"' in answer.text


def test_the_table_is_the_same_as_a_page_and_as_facts(lab: Path) -> None:
    with opened(lab) as board:
        page = project_page(board)
        (row,) = board.client.get(f"/api/p/{board.project()}/slides").json()["rows"]
    cells = re.search(rf'<tr id="slide-{row["id"]}".*?</tr>', page, re.DOTALL)
    assert cells is not None
    found = re.findall(r'<td[^>]*data-value="([^"]*)">(.*?)</td>', cells[0])
    assert [(html.unescape(v), html.unescape(t)) for v, t in found] == [(c["value"], c["text"]) for c in row["cells"]]


def test_a_broken_project_has_its_line_and_the_others_go_on(lab: Path, tmp_path: Path) -> None:
    broken, gone = make_project(tmp_path / "broken"), tmp_path / "gone"
    (broken / "slidebridge.toml").write_text("[source]\nkind = 'nothing'\n")
    with opened(lab, broken, gone) as board:
        overview = board.client.get("/")
        said = text_of(overview.text)
        assert overview.status_code == 200
        assert "no daemon is watching" in said and said.count("can't be read") == 2
        assert "slidebridge.toml" in said and f"{gone} can't be reached since" in said
        assert "can't be read" in text_of(project_page(board, 1))
        assert board.client.get(f"/api/p/{board.project(1)}/slides").status_code == 503
        assert "case" in text_of(project_page(board, 0))
        (broken / "slidebridge.toml").write_text((lab / "slidebridge.toml").read_text())
        assert "no daemon is watching" in text_of(project_page(board, 1)), "it was mended"


def test_a_single_project_needs_no_overview(board: Board) -> None:
    assert board.client.get("/").headers["location"] == f"{board.client.base}/p/{board.project()}"


@pytest.mark.skipif(sys.platform == "win32", reason="no such file names there")
def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    root = make_project(tmp_path / "lab", slide=name)
    layers = {html.escape(HOSTILE): labelled()["Blob"][:2], "Blob": [(shapely.box(5, 5, 50, 50), html.escape(HOSTILE))]}
    (root / f"{name}.xml").write_bytes(xml_of(layers))
    heart = Heartbeat(root / ".slidebridge", (str(root),), HOSTILE, lambda: NOW)
    heart.write(Beat((Doing(JobKind.PREDICT, NOW, name, HOSTILE, 0.4),)))
    with opened(root) as board:
        project = board.project()
        pages = [project_page(board), board.client.get(board.slide()).text]
        pages += [board.client.get(f"/api/p/{project}/now").text, board.client.get(f"/api/p/{project}/now?brief").text]
        facts = board.client.get(f"/api{board.slide()}/outlines?left=0&top=0&right=384&bottom=384&unit=1")
    for page in pages:
        assert "<img src=x" not in page and "<script>" not in page and "alert(2)</script>" not in page
        assert HOSTILE.replace("/", "")[:20] in html.unescape(page) or HOSTILE in html.unescape(page)
    assert facts.headers["content-type"] == "application/json"
    assert HOSTILE in [kind["name"] for kind in facts.json()["classes"]]


def test_hidden_names_are_nowhere(lab: Path) -> None:
    for path in list(lab.glob("case.*")):
        path.rename(path.with_name(f"Muster-Erika-1956{path.suffix}"))
    (lab / "slidebridge.toml").write_text((lab / "slidebridge.toml").read_text() + "\n[privacy]\nhash_names = true\n")
    heart = Heartbeat(lab / ".slidebridge", (), "1", lambda: NOW)
    heart.write(Beat((Doing(JobKind.PREDICT, NOW, "Muster-Erika-1956", "", 0.4),)))
    (lab / "Muster-Erika-1956.xml").write_bytes(b"<Annotations")
    with Store.open(find_store(lab / ".slidebridge", None, lab)) as store:  # type: ignore[arg-type]
        failed = store.start_job(store.ask_job(JobKind.READ, "Muster-Erika-1956.tif", "b", NOW).id, NOW)
        store.retry_job(failed.id, NOW, f"{lab / 'Muster-Erika-1956.xml'}: it is cut", NOW)
    with opened(lab) as board:
        addresses = [f"/p/{board.project()}", board.slide()]
        addresses += [f"/api/p/{board.project()}/{part}" for part in ("now", "slides", "learning", "curve")]
        addresses.append(f"/api{board.slide()}/outlines?left=0&top=0&right=384&bottom=384&unit=1")
        answers = [board.client.get(address).text for address in addresses]
        shutil.move(lab / "Muster-Erika-1956.tif", lab.parent / "moved.tif")
        answers.append(board.client.get(board.slide()).text)
        answers.append(board.client.get(f"{board.slide()}/thumbnail.jpg").text)
    assert not (lab / ".slidebridge" / "names.key").exists(), "who only looks makes no key"
    assert all("Erika" not in answer for answer in answers)
    assert all("slide-" in answer for answer in answers[:3])
    assert "Erika" not in "".join(addresses)


def test_a_slide_that_comes_while_the_dashboard_runs_is_hidden_in_its_log_too(lab: Path) -> None:
    (lab / "slidebridge.toml").write_text((lab / "slidebridge.toml").read_text() + "\n[privacy]\nhash_names = true\n")
    with hiding() as hidden, opened(lab) as board:
        shutil.copy(lab / "case.tif", lab / "Muster-Erika-1956.tif")
        board.client.get(f"/p/{board.project()}")
        assert "Erika" not in hidden.hide("ERROR: Muster-Erika-1956.tif fails in a way that nobody foresaw")


def test_the_name_of_a_slide_that_left_the_project_stays_hidden(lab: Path) -> None:
    (lab / "slidebridge.toml").write_text((lab / "slidebridge.toml").read_text() + "\n[privacy]\nhash_names = true\n")
    with Store.open(find_store(lab / ".slidebridge", None, lab)) as store:  # type: ignore[arg-type]
        store.record_read("Muster-Erika-1956.tif", "a", BEFORE, human_count=1, name="Muster-Erika-1956")
        failed = store.start_job(store.ask_job(JobKind.TRAIN, None, "b", NOW).id, NOW)
        store.retry_job(failed.id, NOW, "slide Muster-Erika-1956.tif was damaged when it was trained on", NOW)
    with opened(lab) as board:
        said = text_of(board.client.get(f"/api/p/{board.project()}/now").text)
    assert "was damaged when it was trained on" in said and "Erika" not in said


def test_a_slide_that_is_away_says_where_it_was_looked_for(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab")
    with opened(root) as board:
        address = board.slide()
        (root / "case.tif").write_bytes(b"no picture")
        answer = board.client.get(address)
    assert answer.status_code == 200
    assert "case.tif" in text_of(answer.text) and 'id="viewer"' not in answer.text


def make_qupath_project(folder: Path, *pictures: str) -> None:
    new_project(folder, *pictures)
    settings = '[source]\nkind = "qupath"\npath = "project/project.qpproj"\n[classes.colors]\nTumor = "#c80000"\n'
    (folder / "slidebridge.toml").write_text(settings)


def test_a_qupath_project_of_flat_pictures_is_shown_too(tmp_path: Path) -> None:
    make_qupath_project(tmp_path, "a.png")
    with opened(tmp_path) as board:
        page = board.client.get(board.slide()).text
        facts = board.client.get(f"/api{board.slide()}/outlines?left=0&top=0&right=300&bottom=200&unit=1").json()
        tile = board.client.get(f"{board.slide()}/tiles/9/0/0.jpg")
    assert "a.png" in page and '"width": 300' in page
    assert (facts["revision"], facts["objects"], facts["mpp"]) == ("none", [], [0.5, 0.5])
    assert tile.headers["content-type"] == "image/jpeg"


def test_a_project_file_that_is_cut_is_not_taken_for_slides_that_went(tmp_path: Path) -> None:
    make_qupath_project(tmp_path, "a.png")
    path = tmp_path / "project" / "project.qpproj"
    with Store.open(tmp_path / ".slidebridge") as store, opened(tmp_path) as board:
        slide = board.slide()
        with board.client.app.state.site.projects[board.project()].look() as look:
            store.record_read(next(iter(look.entries.values())).key, "a", BEFORE, human_count=1, name="a.png")
    path.write_bytes(path.read_bytes()[:300])
    with opened(tmp_path) as board:
        assert slide == board.slide(), "the store knows it"
        parts = [f"/api{slide}/revision", f"/api{slide}/outlines?left=0&top=0&right=9&bottom=9&unit=1"]
        answers = [board.client.get(part) for part in (*parts, f"{slide}/tiles/9/0/0.jpg")]
        page = board.client.get(slide)
    assert [answer.status_code for answer in answers] == [503] * 3
    assert all("project.qpproj" in text_of(answer.text) for answer in (*answers, page))


def test_work_on_one_of_two_slides_of_one_name_leads_to_neither(tmp_path: Path) -> None:
    make_qupath_project(tmp_path, "a.png", "b.png")
    path = tmp_path / "project" / "project.qpproj"
    path.write_text(path.read_text("utf-8").replace('"imageName": "b.png"', '"imageName": "a.png"'), "utf-8")
    heart = Heartbeat(tmp_path / ".slidebridge", (), "1", lambda: NOW)
    heart.write(Beat((Doing(JobKind.PREDICT, NOW, "a.png", "", 0.4),)))
    with opened(tmp_path) as board:
        now = board.client.get(f"/api/p/{board.project()}/now").text
        rows = board.client.get(f"/api/p/{board.project()}/slides").json()["rows"]
    assert len(rows) == 2 and "Predicting the slide" in now and "href" not in now


@pytest.mark.parametrize("address", ["/p/none", "/p/none/s/none", "/api/p/none/now", "/p/..%2f..", "/nothing"])
def test_what_there_is_not_is_not_found(board: Board, address: str) -> None:
    answer = board.client.get(address)
    assert answer.status_code == 404
    assert len(answer.text.splitlines()) == 1


def test_a_slide_of_another_project_is_not_found_here(lab: Path, tmp_path: Path) -> None:
    other = make_project(tmp_path / "other")
    with opened(lab, other) as board:
        slide = board.slide(project=1).rpartition("/")[2]
        assert board.client.get(f"/p/{board.project(0)}/s/{slide}").status_code == 404


def test_pages_have_nothing_inline_and_nothing_from_elsewhere(board: Board) -> None:
    for address in (f"/p/{board.project()}", board.slide()):
        page = board.client.get(address).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|javascript:|https?://", page)
        for script in re.findall(r"<script([^>]*)>", page):
            assert "src=" in script or 'type="application/json"' in script
        assert page.count("<h1") == 1 and 'lang="en"' in page


def test_what_is_asked_for_in_scripts_and_pages_exists(board: Board) -> None:
    page = board.client.get(f"/p/{board.project()}").text + board.client.get(board.slide()).text
    for address in set(re.findall(r'(?:href|src|data-part|data-rows|data-curve)="(/[^"]*)"', page)):
        assert board.client.get(f"{DOOR}{html.unescape(address)}").status_code in (200, 303), address
    picture = json.loads(re.search(r'id="picture">(.*?)</script>', page)[1])  # type: ignore[index]
    assert board.client.get(f"{DOOR}{picture['facts']}/revision").status_code == 200
    assert board.client.get(f"{DOOR}{picture['tiles']}/{picture['maxLevel']}/0/0.jpg").status_code == 200


def test_looking_needs_no_torch() -> None:
    code = (
        "import sys, scripts.dashboard.app, scripts.dashboard.serving; print({'torch', 'matplotlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
