"""A validation's numbers as CSV files, and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bridge.errors import ConfigError
from bridge.files import replace_whole
from models.metrics import ClassScores, class_scores
from scripts.csv_text import csv_text
from scripts.loop.prequential import PrequentialScore
from scripts.loop.validate_figures import save_figures
from scripts.loop.validate_results import Validation
from scripts.loop.validate_summary import IterationSummary, score_names, slide_rows
from scripts.loop.validate_text import number, summaries


def write_files(validation: Validation, folder: Path) -> tuple[Path, ...]:
    """Write tables and figures into a folder, made if needed; files of the same names are replaced.

    Raises
    ------
    ConfigError
        Nothing could be judged.
    """
    found = summaries(validation)
    if not found:
        raise ConfigError(f"{folder}: no iteration could be judged, there is nothing to write")
    folder.mkdir(parents=True, exist_ok=True)
    tables = dict(_tables(found, validation.prequential))
    for name, rows in tables.items():
        replace_whole(folder / name, _csv(rows).encode(), is_shared=False)
    figures = save_figures(found, validation.prequential, folder)
    return (*(folder / name for name in tables), *figures)


def _tables(
    found: Sequence[IterationSummary], prequential: Sequence[PrequentialScore]
) -> Iterator[tuple[str, Sequence[Mapping[str, object]]]]:
    yield "iterations.csv", list(_iteration_rows(found))
    yield "slides.csv", list(_slide_rows(found))
    yield "groups.csv", list(_group_rows(found))
    yield "confusion.csv", list(_confusion_rows(found))
    yield "froc.csv", list(_froc_rows(found))
    yield "prequential.csv", list(_prequential_rows(prequential))


def _iteration_rows(found: Sequence[IterationSummary]) -> Iterator[Mapping[str, object]]:
    for summary in found:
        for one in summary.classes:
            yield {
                "iteration": summary.result.model.iteration,
                "checkpoint": summary.result.model.checkpoint_id,
                "promoted": summary.result.model.is_promoted,
                "class": one.name,
                "slides": len(summary.result.slides),
                "pixels": summary.confusion.pixels,
                **{name: number(value) for name, value in one.pooled.values().items()},
                **{f"{name}_mean": number(one.spreads[name].mean) for name in score_names()},
                **{f"{name}_sd": number(one.spreads[name].sd) for name in score_names()},
                "froc": number(one.froc.score) if one.froc is not None else None,
                "froc_missing": one.froc_missing,
            }


def _slide_rows(found: Sequence[IterationSummary]) -> Iterator[Mapping[str, object]]:
    for summary in found:
        for slide in summary.result.slides:
            for name, row in slide_rows(slide).items():
                yield {
                    "iteration": summary.result.model.iteration,
                    "slide": slide.slide,
                    "group": slide.group,
                    "class": name,
                    "pixels": slide.judgement.confusion.pixels,
                    "tissue_share": number(slide.judgement.tissue_share),
                    **{score: number(value) for score, value in row.values().items()},
                    "objects_found": row.objects.found,
                    "objects_missed": row.objects.missed,
                    "objects_spurious": row.objects.spurious,
                    "seconds": round(slide.seconds, 2),
                }


def _group_rows(found: Sequence[IterationSummary]) -> Iterator[Mapping[str, object]]:
    for summary in found:
        for one in summary.classes:
            for group, spreads in one.groups.items():
                for name, spread in spreads.items():
                    yield {
                        "iteration": summary.result.model.iteration,
                        "class": one.name,
                        "group": group,
                        "score": name,
                        "mean": number(spread.mean),
                        "sd": number(spread.sd),
                        "count": spread.count,
                    }


def _confusion_rows(found: Sequence[IterationSummary]) -> Iterator[Mapping[str, object]]:
    for summary in found:
        names = summary.confusion.names
        for name, counts in zip(names, summary.confusion.counts.tolist(), strict=True):
            predicted = {f"predicted {other}": count for other, count in zip(names, counts, strict=True)}
            yield {"iteration": summary.result.model.iteration, "true": name, **predicted}


def _froc_rows(found: Sequence[IterationSummary]) -> Iterator[Mapping[str, object]]:
    for summary in found:
        for one in summary.classes:
            if one.froc is None:
                continue
            for rate, sensitivity in zip(one.froc.false_positives, one.froc.sensitivities, strict=True):
                yield {
                    "iteration": summary.result.model.iteration,
                    "class": one.name,
                    "false_positives_per_slide": number(rate),
                    "sensitivity": number(sensitivity),
                }


def _prequential_rows(prequential: Sequence[PrequentialScore]) -> Iterator[Mapping[str, object]]:
    for score in prequential:
        for name, scores in class_scores(score.confusion).items():
            yield {
                "iteration": score.iteration,
                "class": name,
                "areas": score.areas,
                "pixels": score.confusion.pixels,
                **{field: number(getattr(scores, field)) for field in ClassScores.names()},
            }


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    columns = list(rows[0]) if rows else ["iteration"]
    return csv_text(columns, ([row.get(column) for column in columns] for row in rows), line_end="\r\n")
