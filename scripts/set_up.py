"""What ``slidebridge new`` does: survey the files, write ``slidebridge.toml``, offer our classes to QuPath."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bridge.annotations import Rgb, predicted_class
from bridge.annotations.writing import WriteOptions
from bridge.errors import ConfigError
from bridge.qupath import NewImage, QuPathProject, create_project, merged_classes
from bridge.slides import open_slide
from bridge.store import Backups
from bridge.store.atomic import replace_whole
from scripts.options import SourceKind, SourceOptions
from scripts.project import open_source
from scripts.survey import Survey, settings_text, survey, write_settings

_PROPERTIES = ("openslide.level[0].tile-width", "openslide.level[0].tile-height")
_POWER = "openslide.objective-power"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was asked for.

    Parameters
    ----------
    kind
        ``"imagescope"``, ``"qupath"``, ``"geojson"`` or ``"qupath_create"``.
    path
        Folder of slides, a ``project.qpproj``, or the folder to make a project in.
    slides
        For ``qupath_create``.
    mpp
        Working resolution of the model; None leaves the default.
    """

    kind: str
    path: Path
    slides: tuple[Path, ...] = ()
    mpp: float | None = None
    keep_classes: bool = False
    may_replace: bool = False


@dataclass(frozen=True, slots=True)
class SetUp:
    """What was found and done."""

    settings_path: Path
    found: Survey
    classes_path: Path | None
    is_dry_run: bool

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "settings": str(self.settings_path),
            "slides": self.found.slides,
            "annotation_files": self.found.files,
            "objects": self.found.objects,
            "classes": list(self.found.colors),
            "unnamed_layers": dict(self.found.mapping),
            "problems": list(self.found.problems),
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        found = self.found
        lines = [
            f"{found.slides} slides, {found.files} with annotations, {found.objects} objects",
            f"classes: {', '.join(found.colors) or 'none yet; add them to [classes.colors] in the settings'}",
        ]
        lines += [
            f"unnamed layer {key} is called {name!r}; rename it in [classes.map]" for key, name in found.mapping.items()
        ]
        lines += [f"not read: {problem}" for problem in found.problems]
        if self.classes_path is not None:
            lines.append(f"our classes are in {self.classes_path}; open the project in QuPath only now")
        lines.append(f"{'would write' if self.is_dry_run else 'wrote'} {self.settings_path}; next: slidebridge sync")
        return lines


def set_up(beginning: Beginning, *, is_dry_run: bool = False) -> SetUp:
    """Set a project up beside what exists.

    Raises
    ------
    BridgeError
        The path isn't what it should be, or there is a project already.
    """
    if beginning.kind == "qupath_create":
        beginning = _create(beginning, is_dry_run=is_dry_run)
    kind = SourceKind(beginning.kind)
    root = beginning.path if beginning.path.is_dir() else beginning.path.parent
    source = open_source(Path(), SourceOptions(kind, beginning.path))
    found = survey(source)
    extra = {"model.mpp": beginning.mpp} if beginning.mpp is not None else {}
    relative = beginning.path.name if kind is SourceKind.QUPATH else "."
    text = settings_text(kind, relative, found.colors, found.mapping, extra)
    settings = root / "slidebridge.toml"
    if not is_dry_run:
        settings = write_settings(root, text, may_replace=beginning.may_replace)
    classes = source.classes_path if isinstance(source, QuPathProject) and not beginning.keep_classes else None
    if classes is not None and not is_dry_run:
        _offer_classes(root, classes, found.colors)
    return SetUp(settings, found, classes, is_dry_run)


def _create(beginning: Beginning, *, is_dry_run: bool) -> Beginning:
    if not beginning.slides:
        raise ConfigError("--qupath-create needs at least one slide: slidebridge new --qupath-create DIR SLIDE…")
    images = [new_image(path) for path in beginning.slides]
    if is_dry_run:
        raise ConfigError(
            f"would make a QuPath project of {len(images)} slides in {beginning.path}; nothing was written"
        )
    project = create_project(beginning.path, images, {}, now=datetime.now(UTC))
    return Beginning("qupath", project.path, mpp=beginning.mpp, keep_classes=beginning.keep_classes)


def new_image(path: Path) -> NewImage:
    """Return what a new QuPath project must know of a slide.

    Raises
    ------
    SlideError
        It can't be opened.
    """
    with open_slide(path) as slide:
        pyramid, properties = slide.pyramid, slide.properties
    width, height = pyramid.dimensions[0]
    is_openslide = "openslide.vendor" in properties
    tile = tuple(int(properties.get(name, 256)) for name in _PROPERTIES) if is_openslide else (width, height)
    power = properties.get(_POWER)
    return NewImage(
        path=path.resolve(),
        name=path.name,
        width=width,
        height=height,
        levels=pyramid.dimensions,
        mpp=pyramid.mpp,
        magnification=float(power) if power else None,
        tile=(tile[0], tile[1]),
        is_openslide=is_openslide,
        has_bounds="openslide.bounds-x" in properties,
    )


def our_classes(colors: Mapping[str, Rgb], options: WriteOptions = WriteOptions()) -> Mapping[str, Rgb]:  # noqa: B008 - frozen
    """Return the classes that QuPath's own list should offer: the scheme's, predicted ones, ROI, Proposed."""
    return {
        **colors,
        **{predicted_class(name): color for name, color in colors.items()},
        "ROI": options.roi_color,
        "Proposed": options.proposed_color,
    }


def _offer_classes(root: Path, path: Path, colors: Mapping[str, Rgb]) -> None:
    before = path.read_bytes() if path.is_file() else b""
    after = merged_classes(before, our_classes(colors))
    if before:
        Backups(root / ".slidebridge").keep(before)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, after)
