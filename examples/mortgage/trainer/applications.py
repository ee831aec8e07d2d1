"""The table of mortgage applications: what its columns are and how it is read and written."""

from __future__ import annotations

import csv
from pathlib import Path

LABEL = "deny"
# Audited, never learned from: a lender may not decide by it (README.md).
GROUP = "afam"

NUMBERS = {
    # column: lowest and highest value that can be true
    "pirat": (0, 10),  # monthly payments to income
    "hirat": (0, 10),  # monthly housing costs to income
    "lvrat": (0, 5),  # loan to value of the home
    "chist": (1, 6),  # consumer credit history, 1 best
    "mhist": (1, 4),  # mortgage credit history, 1 best
    "unemp": (0, 50),  # unemployment in the applicant's industry, percent
}
ANSWERS = ["phist", "selfemp", "insurance", "condomin", "single", "hschool"]
FEATURES = [*NUMBERS, *ANSWERS]
COLUMNS = [LABEL, *FEATURES, GROUP]

Row = dict[str, str]


def read_rows(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def is_yes(row: Row, column: str) -> bool:
    return row[column] == "yes"


def features(rows: list[Row]) -> list[list[float]]:
    """One list of numbers a row, in the order of FEATURES; yes is 1."""
    return [
        [*(float(row[name]) for name in NUMBERS), *(float(is_yes(row, name)) for name in ANSWERS)]
        for row in rows
    ]


def answers(rows: list[Row], column: str) -> list[int]:
    return [int(is_yes(row, column)) for row in rows]
