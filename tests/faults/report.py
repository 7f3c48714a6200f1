"""The table of a campaign, for a person, and the same as JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from faults.kinds import ALL_KINDS
from faults.ledger import Verdict
from faults.run import SeedResult

# Everything that a verdict counts, in its order, with the name that it has in the table.
COLUMNS = {
    field.name: field.name.removeprefix("notification_").replace("_", " ")
    for field in fields(Verdict)
    if field.name != "failures"
}

LEGEND = (
    "acknowledged: answered with 202. indeterminate: with 5xx or not at all. refused: with 4xx. in dlq: waits there for a",
    "person, who has put back all that can be mended. lost: acknowledged, and neither stored nor in the dead-letter queue.",
    "duplicated: one order in two rows, or a row that is not what was sent. unexpected: there, and not asked for. denied:",
    "accepted, and then answered with 404. notified twice: allowed, announcements are made at least once. given up:",
    "its announcement is, and its place in the stream is in the notifications' dead-letter queue.",
    "Must be 0: lost, duplicated, unexpected, denied, never notified.",
)


def totals(results: Iterable[SeedResult]) -> dict[str, int]:
    """Return the sum of every column."""
    verdicts = [result.verdict for result in results]
    return {name: sum(getattr(verdict, name) for verdict in verdicts) for name in COLUMNS}


def fired(results: Iterable[SeedResult]) -> dict[str, int]:
    """Return how often each kind of fault was injected."""
    count = Counter[str]()
    for result in results:
        count.update(result.fired)
    return {kind: count[kind] for kind in ALL_KINDS}


def seed_line(result: SeedResult) -> str:
    """Return what a person wants to know of a seed that has just ended."""
    verdict = result.verdict
    faults = ", ".join(f"{kind} {result.fired.get(kind, 0)}" for kind in sorted(result.plan.kinds))
    outcome = "ok" if verdict.holds else "FAILED"
    counts = f"{verdict.acknowledged} of {verdict.attempted} acknowledged, {verdict.stored} stored"
    return f"seed {result.plan.seed:>3}  {outcome:<6} {result.seconds:5.1f} s  {counts}  [{faults}]"


def table(results: Sequence[SeedResult]) -> str:
    """Return one line for each seed, their sum, and how often each kind of fault was injected."""
    heads = ["seed", *COLUMNS.values(), "seconds"]
    rows = [
        [
            str(result.plan.seed),
            *(str(getattr(result.verdict, name)) for name in COLUMNS),
            f"{result.seconds:.1f}",
        ]
        for result in results
    ]
    rows.append(["all", *map(str, totals(results).values()), f"{sum(result.seconds for result in results):.1f}"])
    # Heads of several words take several lines, so that the table fits a screen.
    head_lines = _stacked(heads)
    widths = [max(len(line[column]) for line in [*head_lines, *rows]) for column in range(len(heads))]
    lines = [*_aligned(head_lines, widths), *_aligned(rows[:-1], widths), *_aligned(rows[-1:], widths), "", *LEGEND, ""]
    lines.append(f"{'kind of fault':<24} {'injected':>8}")
    lines += [f"{kind:<24} {count:>8}  {ALL_KINDS[kind]}" for kind, count in fired(results).items()]
    return "\n".join(lines) + "\n"


def write(directory: Path, results: Sequence[SeedResult], failures: Sequence[str]) -> list[Path]:
    """Write the report as text and as JSON; return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    text, document = directory / "report.txt", directory / "report.json"
    text.write_text(table(results) + "".join(f"{failure}\n" for failure in failures), encoding="utf-8")
    content = {
        "holds": not failures,
        "failures": list(failures),
        "totals": totals(results),
        "faults": fired(results),
        "seeds": [_document(result) for result in results],
    }
    document.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return [text, document]


def _document(result: SeedResult) -> Mapping[str, Any]:
    return {
        "seed": result.plan.seed,
        "orders": len(result.plan.submissions),
        "seconds": round(result.seconds, 1),
        "faults": {kind: result.fired.get(kind, 0) for kind in sorted(result.plan.kinds)},
        **asdict(result.verdict),
    }


def _stacked(heads: Sequence[str]) -> list[list[str]]:
    words = [head.split() for head in heads]
    height = max(map(len, words))
    padded = [[""] * (height - len(each)) + each for each in words]
    return [[each[line] for each in padded] for line in range(height)]


def _aligned(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> list[str]:
    return [" ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
