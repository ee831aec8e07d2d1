"""Checks the applications and splits them: the same rows and seed always give the same parts."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

import millrace
from applications import ANSWERS, COLUMNS, GROUP, LABEL, NUMBERS, Row, is_yes, read_rows, write_rows

TEST_SHARE = 0.33
MINIMUM_ROWS = 200
MINIMUM_LABEL_SHARE = 0.05
MINIMUM_GROUP_ROWS = 40
SHOWN_PROBLEMS = 10


def main() -> None:
    rows = read(millrace.inputs.csv)
    refuse(row_problems(rows))
    refuse(balance_problems(rows))
    train, test = split(rows, millrace.inputs.seed)
    write_rows(millrace.out("train"), train)
    write_rows(millrace.out("test"), test)
    counts = {"rows": len(rows), "train": len(train), "test": len(test)}
    write_report(millrace.out("report"), rows, counts)
    millrace.output(counts=counts, denied=share(rows, LABEL))
    print(
        f"{len(rows)} applications, {share(rows, LABEL):.1%} denied: {len(train)} to train, {len(test)} to test"
    )


def read(path: Path) -> list[Row]:
    try:
        return read_rows(path)
    except (UnicodeDecodeError, csv.Error, IsADirectoryError) as error:
        return millrace.fail(f"The applications are not a CSV file in UTF-8: {error}", retryable=False)


def row_problems(rows: list[Row]) -> list[str]:
    if not rows:
        return ["there are no rows"]
    missing = [name for name in COLUMNS if name not in rows[0]]
    if missing:
        return [f"columns are missing: {', '.join(missing)}"]
    return [
        f"line {line}: {problem}" for line, row in enumerate(rows, start=2) for problem in cell_problems(row)
    ]


def cell_problems(row: Row) -> list[str]:
    if None in row or None in row.values():
        return [f"has not the {len(COLUMNS)} cells of the header"]
    empty = [f"`{name}` is empty" for name in COLUMNS if row[name].strip() == ""]
    ranges = [
        f"`{name}` is {row[name]!r}, expected a number from {low} to {high}"
        for name, (low, high) in NUMBERS.items()
        if row[name].strip() and not in_range(row[name], low, high)
    ]
    words = [
        f"`{name}` is {row[name]!r}, expected yes or no"
        for name in (LABEL, GROUP, *ANSWERS)
        if row[name].strip() and row[name] not in ("yes", "no")
    ]
    return empty + ranges + words


def in_range(text: str, low: float, high: float) -> bool:
    try:
        return low <= float(text) <= high
    except ValueError:
        return False


def balance_problems(rows: list[Row]) -> list[str]:
    problems = []
    if len(rows) < MINIMUM_ROWS:
        problems.append(f"{len(rows)} rows are too few to train and test on, expected {MINIMUM_ROWS} or more")
    denied = share(rows, LABEL)
    if not MINIMUM_LABEL_SHARE <= denied <= 1 - MINIMUM_LABEL_SHARE:
        problems.append(
            f"{denied:.1%} of the applications are denied, expected {MINIMUM_LABEL_SHARE:.0%} or more of either answer"
        )
    groups = Counter(row[GROUP] for row in rows)
    for answer in ("yes", "no"):
        if groups[answer] < MINIMUM_GROUP_ROWS:
            problems.append(
                f"`{GROUP}` is {answer} in {groups[answer]} rows, expected {MINIMUM_GROUP_ROWS} or more to audit by"
            )
    return problems


def refuse(problems: list[str]) -> None:
    if not problems:
        return
    for problem in problems[:SHOWN_PROBLEMS]:
        millrace.log("error", problem)
    more = f"; and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
    millrace.fail(
        f"The applications cannot be used: {'; '.join(problems[:SHOWN_PROBLEMS])}{more}", retryable=False
    )


def split(rows: list[Row], seed: int) -> tuple[list[Row], list[Row]]:
    """Training and test rows, with alike shares of label and group in both.

    Rows are ordered by a hash of seed and content, not by a generator: the parts are the same with every version of
    Python, do not depend on the order of the file, and equal applications never fall on both sides.
    """
    strata: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, row in enumerate(rows):
        content = ",".join([str(seed), *(row[name] for name in COLUMNS)])
        strata[row[LABEL], row[GROUP]][hashlib.sha256(content.encode()).hexdigest()].append(index)
    test: set[int] = set()
    for stratum in strata.values():
        wanted = round(TEST_SHARE * sum(map(len, stratum.values())))
        taken: list[int] = []
        for digest in sorted(stratum):
            if len(taken) >= wanted:
                break
            taken += stratum[digest]
        test.update(taken)
    return (
        [row for index, row in enumerate(rows) if index not in test],
        [row for index, row in enumerate(rows) if index in test],
    )


def write_report(folder: Path, rows: list[Row], counts: dict[str, int]) -> None:
    folder.mkdir()
    report = {
        "counts": counts,
        "denied": share(rows, LABEL),
        "deniedByGroup": {
            f"{GROUP}={answer}": share([row for row in rows if row[GROUP] == answer], LABEL)
            for answer in ("no", "yes")
        },
        "ranges": {
            name: {
                "lowest": min(float(row[name]) for row in rows),
                "highest": max(float(row[name]) for row in rows),
            }
            for name in NUMBERS
        },
        "yes": {name: share(rows, name) for name in ANSWERS},
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def share(rows: list[Row], column: str) -> float:
    return sum(is_yes(row, column) for row in rows) / len(rows)


if __name__ == "__main__":
    main()
