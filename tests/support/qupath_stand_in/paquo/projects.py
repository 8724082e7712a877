"""Projects."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from bridge.annotations import AnnotationSet
from bridge.qupath.path_classes import argb_of
from bridge.qupath.project_file import read_project_file
from bridge.qupath.read import read_qpdata
from bridge.qupath.slide_uri import path_of_uri
from paquo import BEHAVIOUR
from paquo.java import Hierarchy


class Entry:
    def __init__(self, project, entry_id, uri):
        self.entry_id, self.uri = entry_id, uri
        self._path = project.folder / "data" / entry_id / "data.qpdata"
        self.java_object = self
        self.hierarchy = SimpleNamespace(java_object=self.readHierarchy())

    def readHierarchy(self):
        if not self._path.exists():
            return Hierarchy(AnnotationSet())
        return Hierarchy(read_qpdata(self._known()))

    def _known(self):
        newer, known = b"Data file version 4", b"Data file version 3"  # this QuPath knows one more than we do
        return self._path.read_bytes().replace(newer, known, 1)

    def readImageData(self):
        hierarchy = Hierarchy(AnnotationSet()) if BEHAVIOUR == "opens an empty image" else self.readHierarchy()
        return SimpleNamespace(getHierarchy=lambda: hierarchy)

    def saveImageData(self, image_data):
        if BEHAVIOUR == "saves another image":
            self._path.write_bytes(Path(os.environ["STAND_IN_OTHER"]).read_bytes())
        else:
            self._path.write_bytes(self._known())

    def is_readable(self):
        return Path(path_of_uri(self.uri)).is_file()


class QuPathProject:
    def __init__(self, path, mode):
        if BEHAVIOUR == "hangs":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            time.sleep(60)
        if BEHAVIOUR == "dies":
            sys.stderr.write("OutOfMemoryError\n")
            os._exit(3)
        self.path, self.folder, self.images, self.path_classes = Path(path), Path(path).parent, [], []
        if mode != "x":
            file = read_project_file(self.path)
            self.images = [Entry(self, image.entry_id, image.builder["uri"]) for image in file.images]

    def update_image_paths(self, *, uri2uri):
        for entry in self.images:
            entry.uri = uri2uri.get(entry.uri, entry.uri)

    def add_image(self, slide):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "half.txt").write_text("made before it failed")
        if BEHAVIOUR == "can't open slides":
            raise OSError("no preferred support found")
        self.images.append(Entry(self, str(len(self.images) + 1), Path(slide).as_uri()))

    def save(self):
        images = [
            {
                "entryID": int(e.entry_id),
                "imageName": Path(e.uri).name,
                "serverBuilder": {"builderType": "uri", "uri": e.uri},
            }
            for e in self.images
        ]
        self.path.write_text(json.dumps({"version": "0.7.0", "images": images}))
        classes = [{"name": c.full_name, "color": argb_of(c.color)} for c in self.path_classes]
        (self.folder / "classifiers").mkdir()
        (self.folder / "classifiers" / "classes.json").write_text(json.dumps({"pathClasses": classes}))
