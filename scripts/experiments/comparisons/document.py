"""``docs/experiments.md``: one section per experiment, replaced by the command that makes it, the rest left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.files import replace_whole
from scripts.experiments.comparisons.experiment import Experiment, ExperimentOptions, Result

_HEAD = """# Experiments

Each section is written by the command that it names; the text between its markers is replaced when the command runs
again. Slides are generated with exact truth (`python -m scripts.experiments.generate --list`): three settings per
claim, one of them adverse to it, written down before any method was run, all three reported. Numbers are means ± sd
over seeds.
"""


def section(
    experiment: Experiment, results: Sequence[Result], options: ExperimentOptions, around: Mapping[str, str]
) -> str:
    """Return an experiment's section, without markers; the same for the same results."""
    parts = [
        f"## {experiment.title}",
        experiment.account,
        _made_by(experiment, results, options, around),
        _settings(experiment),
        experiment.table(results).to_markdown().rstrip(),
        f"![{experiment.title}](experiments/{experiment.name}.svg)",
        "\n".join(f"- {reading}" for reading in experiment.readings(results)),
    ]
    return "\n\n".join(part for part in parts if part)


def replace_section(document: Path, name: str, text: str) -> None:
    """Put a section between its markers, at the document's end where it has none yet; atomic.

    Raises
    ------
    ValueError
        The document has the first marker and not the second.
    """
    begin, end = f"<!-- experiment {name}: begin -->", f"<!-- experiment {name}: end -->"
    before = document.read_text(encoding="utf-8") if document.is_file() else _HEAD
    body = f"{begin}\n{text}\n{end}\n"
    head, found, rest = before.partition(begin)
    if found:
        _, closed, tail = rest.partition(end)
        if not closed:
            raise ValueError(f"{document.name} has no {end!r} after {begin!r}; put it back")
        after = head + body + tail.removeprefix("\n")
    else:
        after = before.rstrip("\n") + "\n\n" + body
    replace_whole(document, after.encode(), is_shared=False)


def _made_by(
    experiment: Experiment, results: Sequence[Result], options: ExperimentOptions, around: Mapping[str, str]
) -> str:
    command = f"python -m scripts.experiments {experiment.name} --seeds {options.seeds} --threads {options.threads}"
    if options.full:
        command += " --full"
    seconds = sum(result.seconds for result in results)
    versions = ", ".join(f"{name} {version}" for name, version in around.items() if name != "threads")
    threads = "1 thread" if options.threads == 1 else f"{options.threads} threads"
    seeds = "seed 0" if options.seeds == 1 else f"seeds 0 to {options.seeds - 1}"
    return f"`{command}`: {seeds}, {len(results)} units, {seconds / 60:.1f} minutes of work on {threads}; {versions}."


def _settings(experiment: Experiment) -> str:
    lines = [f"| `{s.name}` | {s.stance} | {s.why} | {s.expectation} |" for s in experiment.settings]
    head = ["| setting | stance | why these numbers | expected, before any method was run |", "|---|---|---|---|"]
    return "\n".join([*head, *lines]) if lines else ""
