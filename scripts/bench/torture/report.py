"""The table that a run ends in."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.bench.torture.options import Options
from scripts.bench.torture.referee import Result

_NOTES = 12


def table(results: Sequence[Result]) -> str:
    """Return one column per run."""
    columns = [_column(result) for result in results]
    names = list(columns[0])
    width = 2 + max(map(len, names))
    lines = [f"{name:<{width}}" + "".join(f"{column[name]:>14}" for column in columns) for name in names]
    notes = [f"{title(r.options)}: {note}" for r in results for note in r.verdict.notes[:_NOTES]]
    failures = [f"{title(r.options)}: {verdict_of(r)}: {why}" for r in results for why in reasons(r)]
    return "\n".join([*lines, *notes, *failures])


def title(options: Options) -> str:
    """Return what names a run."""
    return f"{options.tool.value}/{options.mode.value}"


def verdict_of(result: Result) -> str:
    """Return a run's verdict in a word."""
    if not result.is_good:
        return "FAILED"
    return "ok" if result.is_complete else "incomplete"


def reasons(result: Result) -> tuple[str, ...]:
    """Return everything for which a run's exit status is 1, a line each; none where it is 0."""
    verdict, asked = result.verdict, result.options
    counted = {
        "drawings of the person's were lost, and nothing explains it": verdict.lost,
        "times the file could not be read, though no save of the tool had been cut": verdict.unparsable,
        "deletions were counted that nobody made": verdict.false_deletions,
    }
    found = [f"{count} {what}" for what, count in counted.items() if count]
    found += result.crashes
    if not result.is_complete:
        found.append(
            f"given up after {result.seconds:.0f} s, a busy machine needs a longer --limit: {result.contested} of"
            f" {asked.writes} contested writes, {result.tries} tries, {result.kills.total()} of {asked.kills} kills"
        )
    return tuple(found)


def _column(result: Result) -> dict[str, str]:
    verdict, counts = result.verdict, result.counts
    rows: dict[str, object] = {
        "tool": result.options.tool.value,
        "file system": result.options.mode.value,
        "sabotage": result.options.sabotage.value,
        "saves by the tool": verdict.saves,
        "saves that failed": verdict.failed_saves,
        "our writes, tries": counts["written"] + counts["conflict"] + counts["refused"],
        "  contested": result.contested,
        "  saved while we exchanged": result.closely,
        "  conflicts detected": counts["conflict"],
        "  merged after one": counts["merged"],
        "  taken back at once": counts["taken back at once"],
        "  refused": counts["refused"],
        "kills, tool": result.kills["tool"],
        "kills, ours": result.kills["ours"],
        "writes finished by recovery": counts["finished"],
        "writes abandoned by recovery": counts["abandoned"],
        "saves put back later": counts["put back"],
        "saves kept beside": counts["kept"],
        "viewers saved over ours": counts["overwritten"],
        "suspicious saves": counts["suspicious"],
        "looks at the file": verdict.looks,
        "human objects checked": verdict.objects_checked,
        "  in a kept file": verdict.kept,
        "  in a backup, told": verdict.in_backup,
        "  LOST": verdict.lost,
        "  gone in the known window": verdict.window_losses,
        "  written too late by tool": verdict.held_losses,
        "  lost by the tool's own kill": verdict.own_losses,
        "files restored after that": verdict.restored,
        "UNPARSABLE at a rest": verdict.unparsable,
        "deletions counted": verdict.deletions,
        "  FALSE": verdict.false_deletions,
        "CRASHES": len(result.crashes),
        "seconds": round(result.seconds),
        "result": verdict_of(result),
    }
    return {name: str(value) for name, value in rows.items()}
