"""What the doctor looks for, all of it: what each trouble means, and its cure. The documentation is made from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.installing import how_to_add, how_to_update
from scripts.doctor.report import Finding, Level

MACHINE = "This machine"
PROJECT = "The project"
SLIDES = "Slides"
ANNOTATIONS = "Annotations and classes"
TRAINING = "Training"
RUNNING = "While it runs"
RECORDS = "Records and disk"
GROUPS = (MACHINE, PROJECT, SLIDES, ANNOTATIONS, TRAINING, RUNNING, RECORDS)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong in a lab.

    Parameters
    ----------
    key
        Names it for good: in ``--json``, and in addresses of the documentation.
    group
        One of ``GROUPS``.
    check
        The word before a line of the doctor's.
    level
        Whether it must be mended.
    title
        What it is, a short sentence.
    why
        What comes of it.
    cure
        What to do.
    """

    key: str
    group: str
    check: str
    level: Level
    title: str
    why: str
    cure: str

    def found(self, text: str, cure: str | None = None) -> Finding:
        """Return that it was found.

        Parameters
        ----------
        text
            What was met, and where.
        cure
            In place of the general one; empty where the text has it.
        """
        return Finding(self.check, self.level, text, self.cure if cure is None else cure, self.key, self.group)


_BAD, _NOTE = Level.PROBLEM, Level.WARNING

OLD_PYTHON = Trouble(
    *("old-python", MACHINE, "python", _BAD),
    "Python is too old",
    "SlideBridge and the libraries under it are written for Python 3.11 and newer.",
    "install Python 3.11 or newer, and SlideBridge with it",
)
MISSING_LIBRARY = Trouble(
    *("missing-library", MACHINE, "libraries", _BAD),
    "A library is missing",
    "The installation is not whole: it was cut off, or something was removed since.",
    how_to_update(),
)
NO_OPENSLIDE = Trouble(
    *("openslide-not-loaded", MACHINE, "openslide", _BAD),
    "OpenSlide can't be loaded",
    "OpenSlide reads the slides; without it none can be opened.",
    "pip install openslide-bin",
)
NO_TORCH = Trouble(
    *("torch-not-loaded", MACHINE, "device", _BAD),
    "PyTorch can't be loaded",
    "PyTorch trains the networks; without it nothing is learned.",
    "pip install --force-reinstall torch",
)
NO_DEVICE = Trouble(
    *("no-such-device", MACHINE, "device", _BAD),
    "The device that is set is not there",
    "[train] device names something that this machine does not have, so no training can begin.",
    'set [train] device = "auto"',
)
CPU_BUILD = Trouble(
    *("gpu-not-used", MACHINE, "device", _NOTE),
    "There is a graphics card, and PyTorch was installed without support for it",
    "Training takes minutes on the processor where the card takes seconds. pip installs such a PyTorch on Windows.",
    "install PyTorch for CUDA: choose your system at https://pytorch.org/get-started/locally",
)
OLD_DRIVER = Trouble(
    *("gpu-driver", MACHINE, "device", _NOTE),
    "There is a graphics card, and PyTorch can't use it",
    "Mostly the card's driver is older than the CUDA that PyTorch was built for, or was updated since the last start.",
    "update the NVIDIA driver and start the machine again; nvidia-smi says whether the driver answers",
)
CPU_ONLY = Trouble(
    *("cpu-only", MACHINE, "device", _NOTE),
    "There is no graphics card",
    "Training takes minutes where a graphics card takes seconds. Everything works all the same.",
    "nothing needs to be done; a graphics card makes training faster",
)
NO_ONNX = Trouble(
    *("onnx-not-usable", MACHINE, "onnxruntime", _NOTE),
    "ONNX Runtime can't be used",
    "Slides are then predicted by PyTorch: the same results, some three times slower on a processor.",
    "pip install --force-reinstall onnxruntime",
)
LITTLE_MEMORY = Trouble(
    *("little-memory", MACHINE, "memory", _NOTE),
    "The settings need more memory than there is",
    "The system slows down or ends the program in the middle of a training or a prediction.",
    "set smaller [train] tile_px, batch_size or cache_mb, or [predict] tile_px, or close other programs",
)
NO_QUPATH = Trouble(
    *("qupath-not-found", MACHINE, "qupath", _BAD),
    "QuPath is not where PAQUO_QUPATH_DIR says",
    "QuPath's own program is needed for `new --backend paquo` and `doctor --verify`; for nothing else.",
    "set PAQUO_QUPATH_DIR to QuPath's folder, or remove it from the environment",
)
NO_DASK = Trouble(
    *("dask-missing", MACHINE, "cluster", _BAD),
    "The settings name a cluster, and Dask is not installed",
    "Slides are then predicted by this machine alone, or not at all.",
    f'{how_to_add("dask", ["dask", "distributed"])}; or set [compute] scheduler = ""',
)
NO_TIME_ZONE = Trouble(
    *("time-zone-unknown", MACHINE, "time zone", _BAD),
    "The time zone is not known",
    "Nobody can tell when the nightly training is due.",
    'set [schedule] timezone, as "Europe/Berlin", or mend TZ in the environment',
)
WRONG_SETTINGS = Trouble(
    *("settings-wrong", PROJECT, "project", _BAD),
    "The settings can't be read",
    "slidebridge.toml has a key or a value that is none; the message names it. No command works until it is mended.",
    "correct that line of slidebridge.toml, or take it out: what is not set has its default",
)
NO_SOURCE = Trouble(
    *("source-unreadable", PROJECT, "source", _BAD),
    "The folder or project file can't be read",
    "Its slides can't be listed, so nothing can be done.",
    "mend [source] path, or make the folder readable",
)
NO_SLIDES = Trouble(
    *("no-slides", PROJECT, "source", _NOTE),
    "There are no slides",
    "Slides must lie directly in the folder, in a format that OpenSlide reads, or be images of the QuPath project.",
    "put slides into the folder, or add them in QuPath",
)
LEFT_OUT = Trouble(
    *("image-left-out", PROJECT, "source", _NOTE),
    "An image is left out",
    "Images that are turned, or put together from several files, can't be placed on a slide. Nothing is done to them.",
    "if it is to take part: add the slide as it is to the QuPath project, or rename what lies in a folder",
)
NEW_QUPATH = Trouble(
    *("qupath-version", PROJECT, "qupath project", _NOTE),
    "The project was saved by a QuPath that SlideBridge was not tried with",
    "Each file is still checked before it is written: what is not reproduced byte for byte is refused, not damaged.",
    "look at the lines about files; where they are refused: slidebridge doctor --verify, and update SlideBridge",
)
OPEN_IN_QUPATH = Trouble(
    *("open-in-qupath", PROJECT, "open in QuPath", _NOTE),
    "QuPath has the project open",
    "Open images keep what they had when they were opened; with SlideBridge's script in QuPath results appear live.",
    "slidebridge hooks install qupath; without it, open the image again to see what was written",
)
NOT_WRITABLE = Trouble(
    *("folder-not-writable", PROJECT, "write access", _BAD),
    "A folder can't be written",
    "Predictions and boxes can't be written there, nor the records of the project.",
    "mend the folder's permissions for the account that runs SlideBridge",
)
NO_SLIDE = Trouble(
    *("slide-not-found", SLIDES, "slides", _BAD),
    "A slide is not where it should be",
    "It was moved or renamed, its drive is not mounted, or it hangs under another letter here. The slide is left out.",
    "mount the drive, or name the new folder in [slides] search or [slides.relocate]",
)
BAD_SLIDE = Trouble(
    *("slide-unreadable", SLIDES, "slides", _BAD),
    "A slide can't be opened",
    "It is of a format that can't be read, or its permissions forbid it, or it is not a slide.",
    "open it in your viewer; if that fails too, copy it again from the scanner",
)
CUT_SLIDE = Trouble(
    *("slide-cut", SLIDES, "slides", _BAD),
    "A slide is copied by half, or damaged",
    "It opens, but a part of its pixels can't be read. Training and prediction would stop there.",
    "wait until it is copied whole, or copy it again from the scanner and compare the sizes",
)
LONELY_FILE = Trouble(
    *("annotations-without-slide", SLIDES, "slides", _NOTE),
    "An annotation file has no slide beside it",
    "A slide and its annotations belong together by name. Mostly the slide was renamed or moved away.",
    "give the slide and the file the same name again",
)
GONE_SLIDE = Trouble(
    *("slide-gone", SLIDES, "slides", _NOTE),
    "A slide that was learned from is not in the project any more",
    "It was renamed, moved or removed. Under a new name it counts as another slide; its old labels teach no more.",
    "put it back under its old name, or leave it so if that was meant",
)
NO_MPP = Trouble(
    *("no-resolution", SLIDES, "mpp", _BAD),
    "A slide does not say its resolution",
    "Without µm per pixel nobody can bring slides of different scanners to one size. The slide is left out.",
    "set [slides.mpp_of] for it, or [slides] mpp for all that don't say; in QuPath set the pixel width",
)
ODD_MPP = Trouble(
    *("resolution-doubtful", SLIDES, "mpp", _NOTE),
    "The resolution of a slide is told in two ways",
    "The slide, the annotation file and the settings disagree, or pixels are not square; one of them is taken.",
    "if the slide is right, mend the calibration; else set [slides.mpp_of]",
)
NO_CLASSES = Trouble(
    *("no-classes", ANNOTATIONS, "classes", _BAD),
    "No classes are set",
    "Nothing can be learned without at least one class.",
    "add your classes to [classes.colors]",
)
UNKNOWN_CLASS = Trouble(
    *("class-unknown", ANNOTATIONS, "classes", _NOTE),
    "People use a class that is not in the settings",
    "Its objects are kept as they are and not learned from.",
    "add it to [classes.colors], or map it in [classes.map]",
)
ALIKE_CLASSES = Trouble(
    *("class-spelled-twice", ANNOTATIONS, "classes", _BAD),
    "Two class names differ by capitals or spaces only",
    "They count as two classes, so the objects of one of them are learned as something else, or not at all.",
    "keep one spelling: map the other in [classes.map], or rename it in the viewer",
)
UNUSED_CLASS = Trouble(
    *("class-unused", ANNOTATIONS, "classes", _NOTE),
    "Nobody uses a class of the settings",
    "Nothing is predicted of a class that nobody has drawn.",
    "draw some objects of it, or take it out of [classes.colors]",
)
BAD_FILE = Trouble(
    *("file-unreadable", ANNOTATIONS, "files", _BAD),
    "An annotation file can't be read",
    "It is cut, of another program, or of a version that is not known. It is left as it is, and its slide left out.",
    "save it again in the viewer, or restore it: slidebridge backups list",
)
NOT_A_FILE = Trouble(
    *("not-a-file", ANNOTATIONS, "files", _BAD),
    "Something else lies where an annotation file should be",
    "A folder, a named pipe or a socket has an annotation file's name. It is never opened, and its slide is left out.",
    "remove it, or give it another name",
)
UNSAFE_FILE = Trouble(
    *("file-not-written", ANNOTATIONS, "files", _BAD),
    "An annotation file can be read, and not written safely",
    "It can't be written without changing what people drew, so nothing is written to it.",
    "slidebridge doctor --resave --image NAME lets QuPath save it anew; or save it again in the viewer",
)
OPEN_SAVE = Trouble(
    *("save-unfinished", ANNOTATIONS, "saves", _BAD),
    "A save is under way, or was cut off",
    "A file by half is never believed. If it stays so the save has failed, and the slide waits.",
    "save the image again in the viewer",
)
NO_MODEL = Trouble(
    *("model-cannot-begin", TRAINING, "model", _BAD),
    "The network that is set can't be trained",
    "Weights or a library that it needs are missing.",
    "name the file in [model] weights, set pretrained = false, or name another encoder",
)
OTHER_CLASSES = Trouble(
    *("model-other-classes", TRAINING, "model", _NOTE),
    "The model in use knows other classes than the settings",
    "A class that it doesn't know is not predicted until the model of a training with it is used.",
    "label some objects of the new classes and let it train; or put the old classes back",
)
OTHER_ORDER = Trouble(
    *("model-class-order", TRAINING, "model", _BAD),
    "The classes were put into another order",
    "A model tells classes by their number: in another order it would call them by each other's names.",
    "restore the order in [classes.colors], or train from the start: [train] from_scratch = true",
)
BAD_MODEL = Trouble(
    *("model-damaged", TRAINING, "model", _BAD),
    "The model in use can't be read",
    "Nothing can be predicted, and no training can go on from it.",
    "restore .slidebridge/checkpoints from a copy, or remove champion.json there and train anew",
)
TOO_LITTLE = Trouble(
    *("nothing-to-train-on", TRAINING, "labels", _NOTE),
    "Too little is labelled for a training",
    "Outside boxes of class ROI unlabelled means unknown, so a model needs one such box, or two classes.",
    "label all that is in a proposed box, set the box's class (in ImageScope its Text) to ROI, and save",
)
NO_HOLD_OUT = Trouble(
    *("hold-out-empty", TRAINING, "hold-out", _NOTE),
    "No labelled area is kept apart to judge new models",
    "Whether a new model is better can't be told, so one is used without proof.",
    "label more: from 4 boxes, or 3 slides, on some are kept apart by themselves ([holdout] fraction)",
)
DEAF_SHARE = Trouble(
    *("share-without-events", RUNNING, "noticing saves", _BAD),
    "Saves on the network drive would not be noticed",
    "Systems do not tell of what other machines save on a share, and the settings rely on being told.",
    'set [watch] observing = "auto": the files are then looked at every [watch] poll_seconds',
)
DEAF_DISK = Trouble(
    *("no-events", RUNNING, "noticing saves", _NOTE),
    "The system does not tell of saves, though the disk is this machine's",
    "The daemon looks at the files every few seconds instead. On Linux a limit is often reached.",
    "raise fs.inotify.max_user_watches and max_user_instances, then start the daemon again",
)
TWO_DAEMONS = Trouble(
    *("two-daemons", RUNNING, "daemon", _BAD),
    "Two SlideBridges say that they look after the project",
    "Only one may write. They may see the folder under two names, or on two machines with the same name.",
    "stop one of them; give machines and containers names of their own",
)
STALE_LEASE = Trouble(
    *("stale-lease", RUNNING, "daemon", _NOTE),
    "A SlideBridge ended without saying so",
    "It was killed, or the machine went down. Nothing is lost: the next start goes on from there.",
    "slidebridge watch, or any other command, takes it over",
)
CLOCK_AHEAD = Trouble(
    *("clock-differs", RUNNING, "clock", _NOTE),
    "Two clocks differ",
    "Another machine's clock is ahead of this one's. Times in lists are wrong, and a night may be trained twice.",
    "let both machines set their clocks by the network (NTP)",
)
FROM_FUTURE = Trouble(
    *("file-from-future", RUNNING, "clock", _NOTE),
    "A file was saved in the future",
    "The clock of this machine, of the file server, or of the machine that saved it is wrong.",
    "let the machines set their clocks by the network (NTP)",
)
NO_HOOK = Trouble(
    *("hook-not-runnable", RUNNING, "hooks", _BAD),
    "A command in [hooks] can't be run",
    "Nobody would be told of what happened.",
    "write its full path, make it executable (chmod +x), and quote spaces",
)
NEW_STORE = Trouble(
    *("store-newer", RECORDS, "database", _BAD),
    "The records were written by a newer SlideBridge",
    "This version does not understand them and leaves them alone.",
    f"update SlideBridge here: {how_to_update()}",
)
BAD_STORE = Trouble(
    *("store-unreadable", RECORDS, "database", _BAD),
    "The records can't be read",
    "Without them SlideBridge can't tell its own objects from people's, so it writes nothing.",
    "slidebridge doctor --store says more; restore the database from a copy",
)
STORE_ON_SHARE = Trouble(
    *("store-on-share", RECORDS, "database", _BAD),
    "The database lies on a network drive",
    "Locks on network drives can't be relied on: two processes could damage it.",
    "take [store] path out of the settings: the database then lies in your own data folder",
)
BAD_LEASE = Trouble(
    *("lease-damaged", RECORDS, "own files", _NOTE),
    "The note of who is at work on the project can't be read",
    "It may be of somebody at work elsewhere, so each command that writes waits up to 90 seconds before it begins.",
    "if no SlideBridge is at work on the project: remove .slidebridge/lease.json",
)
BAD_HEARTBEAT = Trouble(
    *("heartbeat-damaged", RECORDS, "own files", _NOTE),
    "The note of what the daemon does can't be read",
    "status, doctor and dashboard then pass over a daemon that is at work. Nothing else depends on it.",
    "remove .slidebridge/daemon.json; a daemon that is at work writes it anew",
)
BAD_KEY = Trouble(
    *("names-key-damaged", RECORDS, "own files", _BAD),
    "The secret that slides' names are hidden with can't be read",
    "[privacy] hash_names is set, so no command says anything of a slide until there is a secret again.",
    "put .slidebridge/names.key back from a copy; or remove it: every slide then gets a new hash",
)
BAD_CURVE = Trouble(
    *("curve-damaged", RECORDS, "own files", _NOTE),
    "The losses of a training can't be read",
    "Report and dashboard draw no curve of that training. The model that it made is not touched by it.",
    "remove the file",
)
DISK_FULL = Trouble(
    *("disk-full", RECORDS, "disk space", _BAD),
    "A disk is full",
    "No backup can be made, so nothing is written, and trainings can't be kept.",
    "make room before the next save",
)
DISK_LOW = Trouble(
    *("disk-low", RECORDS, "disk space", _NOTE),
    "A disk is nearly full",
    "Backups, models and kept predictions grow.",
    "make room; [store] keep_backups and keep_checkpoints say how much is kept",
)
BIG_BACKUPS = Trouble(
    *("backups-large", RECORDS, "backups", _NOTE),
    "The backups take much room",
    "Each file is kept as it was before a write. None is removed that holds what no later one holds.",
    "set a smaller [store] keep_backups; slidebridge backups list says what there is",
)
STRAY_FILES = Trouble(
    *("stray-files", RECORDS, "stray files", _NOTE),
    "Temporary files are left",
    "A write was cut off. The slide's own file is whole.",
    "run slidebridge sync: it finishes or undoes the write",
)

TROUBLES = tuple(value for value in list(globals().values()) if isinstance(value, Trouble))  # all above, in order

GROUP_OF: Mapping[str, str] = {trouble.check: trouble.group for trouble in TROUBLES}
"""Check → its group, for lines that say that all is well."""
