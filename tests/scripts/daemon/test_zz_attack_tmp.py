from __future__ import annotations
from datetime import timedelta
from pathlib import Path
import pytest, shapely, threading
from bridge.errors import StoreError, ProjectBusyError, WriteFailedError, WriteConflictError
from bridge.store import JobKind, JobState
from daemon_lab import RESCAN, SETTLE, DaemonLab
from lab_support import labelled, draw_slide
from bridge.watch.hints import HintQueue
DONE = JobState.DONE

@pytest.fixture
def lab(tmp_path):
    lab = DaemonLab.with_slides(tmp_path)
    yield lab
    lab.close()

def test_settings_file_cannot_be_looked_at(lab, monkeypatch):
    lab.start(); lab.run()
    import scripts.daemon.watched_project as wp
    def away(path): raise OSError(112, "Host is down")
    with monkeypatch.context() as m:
        m.setattr(wp, "observe", away)
        lab.daemon._look_at = 0.0
        lab.run(20.0, step=1.0)
    lab.save(labelled()); lab.run()
    assert "Blob: Predicted" in sorted(w.path_class for w in lab.store.live_objects("case0.tif"))

@pytest.mark.parametrize("how", ["rescan", "event"])
def test_a_slide_that_left_and_came_back(tmp_path, how):
    lab = DaemonLab.with_slides(tmp_path, 2)
    lab.start(); lab.save(labelled(), 0); lab.save(labelled(1), 1); lab.run(10*SETTLE)
    slide = tmp_path / "case1.tif"; hidden = tmp_path / ".away"
    slide.rename(hidden)
    lab.watched.loop.files.is_list_old = True
    lab.run(5.0)
    assert "case1.tif" not in lab.watched.loop.reader.slides.entries
    hidden.rename(slide)
    lab.watched.loop.files.is_list_old = True
    lab.run(30.0)
    assert lab.watched.loop.reader.slides.unread == ()
    before = len(lab.jobs(JobKind.TRAIN, DONE))
    lab.save({**labelled(), "Blob": labelled()["Blob"][:-2]}, 0)
    lab.run(60.0, step=2.0)
    assert len(lab.jobs(JobKind.TRAIN, DONE)) == before + 1
    lab.close()

def test_no_endless_predicting_when_nothing_can_be_kept_or_written(tmp_path, monkeypatch):
    lab = DaemonLab.with_slides(tmp_path, 6)
    import scripts.daemon.working as w
    from scripts.loop.prediction_cache import PredictionCache
    monkeypatch.setattr(PredictionCache, "save", lambda self, k, p: None)
    def fails(*a, **k): raise WriteFailedError("read-only share")
    monkeypatch.setattr(w, "write_one", fails)
    n = []
    real = w.predict_one
    def predict(*a, **k):
        n.append(1); return real(*a, **k)
    monkeypatch.setattr(w, "predict_one", predict)
    lab.start(); lab.run(1800.0, step=10.0)
    print(len(n), len(lab.store.jobs()))
    assert len(n) < 80
    lab.close()

def test_bell():
    q = HintQueue()
    for _ in range(1000):
        q.put("/a/b"); q.drain()
    assert q._bell.qsize() <= 1

def test_lost_then_nothing_touched(lab, monkeypatch):
    lab.start(); lab.save(labelled()); lab.run()
    hb = lab.root / ".slidebridge" / "daemon.json"
    import scripts.daemon.heartbeat as h
    hb = lab.root / ".slidebridge" / h.FILE_NAME
    def lost(self): raise ProjectBusyError("lost")
    from bridge.store.lease import Lease
    monkeypatch.setattr(Lease, "renew", lost)
    w = lab.watched
    hb.write_text("theirs")
    lab.clock.pass_by(20)
    lab.tick(3)
    assert lab.daemon.projects == []
    assert hb.read_text() == "theirs"
    lab.close()
    assert hb.read_text() == "theirs"
    assert not w.stack._exit_callbacks
