"""Judges a model on the held-out applications: how well it ranks, how true its probabilities are, whom it refuses."""

from __future__ import annotations

import html
import json
import os
import tempfile
from pathlib import Path

# Before matplotlib is imported: its cache must lie where a step may write.
os.environ.setdefault("MPLCONFIGDIR", os.path.join(tempfile.gettempdir(), "matplotlib"))

import joblib
import matplotlib
import numpy as np
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

import millrace
from applications import FEATURES, GROUP, LABEL, answers, features, read_rows

matplotlib.use("Agg")
from matplotlib import pyplot

BINS = 10


def main() -> None:
    rows = read_rows(millrace.inputs.table)
    about = json.loads((millrace.inputs.model / "model.json").read_text("utf-8"))
    if about["features"] != FEATURES:
        millrace.fail("The model was trained on other columns than these scripts know", retryable=False)
    model = joblib.load(millrace.inputs.model / "model.joblib")
    denied = np.array(answers(rows, LABEL))
    scores = model.predict_proba(np.array(features(rows)))[:, 1]
    approved = scores < about["threshold"]
    groups = by_group(np.array(answers(rows, GROUP)), denied, approved)
    figures = {
        "auc": float(roc_auc_score(denied, scores)),
        "brier": float(brier_score_loss(denied, scores)),
        "gap": abs(groups["no"]["approved"] - groups["yes"]["approved"]),
    }
    report = {
        **figures,
        "rows": len(rows),
        "model": about,
        "approvalByGroup": {f"{GROUP}={answer}": group for answer, group in groups.items()},
        "calibration": calibration(denied, scores),
    }
    write_report(millrace.out("report"), report, denied, scores)
    for name, value in figures.items():
        millrace.metric(name, value)
    millrace.output(**figures)
    print(", ".join(f"{name} {value:.4f}" for name, value in figures.items()), f"on {len(rows)} applications")


def by_group(member: np.ndarray, denied: np.ndarray, approved: np.ndarray) -> dict[str, dict[str, float]]:
    """Of each group: its rows, the share the model approves and the share the lender approved."""
    return {
        answer: {
            "rows": int(rows.sum()),
            "approved": float(approved[rows].mean()),
            "approvedByLender": float(1 - denied[rows].mean()),
        }
        for answer, rows in (("no", member == 0), ("yes", member == 1))
    }


def calibration(denied: np.ndarray, scores: np.ndarray) -> list[dict[str, float]]:
    """Bins of equal count by score: the mean probability predicted, and the share that was denied."""
    return [
        {"rows": len(part), "predicted": float(scores[part].mean()), "observed": float(denied[part].mean())}
        for part in np.array_split(np.argsort(scores, kind="stable"), BINS)
    ]


def write_report(folder: Path, report: dict, denied: np.ndarray, scores: np.ndarray) -> None:
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    falsely, rightly, _ = roc_curve(denied, scores)
    plot(
        folder / "roc.png",
        (falsely, rightly, f"AUC {report['auc']:.3f}"),
        ("share of the approved called denied", "share of the denied found"),
    )
    bins = report["calibration"]
    plot(
        folder / "calibration.png",
        (
            [each["predicted"] for each in bins],
            [each["observed"] for each in bins],
            f"Brier {report['brier']:.3f}",
        ),
        ("probability predicted", "share denied"),
    )
    (folder / "index.html").write_text(page(report), "utf-8")


def plot(file: Path, line: tuple, axes: tuple[str, str]) -> None:
    x, y, label = line
    figure, plane = pyplot.subplots(figsize=(5, 5))
    plane.plot([0, 1], [0, 1], color="#bbb", linewidth=1)
    plane.plot(x, y, marker="." if len(x) <= BINS else None, label=label)
    plane.set(xlabel=axes[0], ylabel=axes[1], xlim=(0, 1), ylim=(0, 1), aspect="equal")
    plane.legend(loc="lower right")
    # No software version or date in the file: the same figures give the same bytes.
    figure.savefig(file, dpi=100, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)


def page(report: dict) -> str:
    figures = [(name, f"{report[name]:.4f}") for name in ("auc", "brier", "gap")]
    groups = [
        (name, str(group["rows"]), f"{group['approved']:.1%}", f"{group['approvedByLender']:.1%}")
        for name, group in report["approvalByGroup"].items()
    ]
    bins = [
        (str(each["rows"]), f"{each['predicted']:.3f}", f"{each['observed']:.3f}")
        for each in report["calibration"]
    ]
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Mortgage model: evaluation</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; margin: 1rem 0 }} td, th {{ border: 1px solid #ccc; padding: .2rem .6rem }}
img {{ max-width: 48%; height: auto }}</style>
<h1>Mortgage model: {html.escape(report["model"]["kind"])}, on {report["rows"]} held-out applications</h1>
{table(("figure", "value"), figures)}
<h2>Approval by group</h2>
<p>The model has not seen <code>{GROUP}</code>. It denies as large a share in all as the lender did.</p>
{table(("group", "rows", "approved by the model", "approved by the lender"), groups)}
<h2>Ranking and calibration</h2>
<img src="roc.png" alt="ROC curve"> <img src="calibration.png" alt="Calibration by tenths">
{table(("rows", "probability predicted", "share denied"), bins)}
</html>
"""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    def cells(tag: str, values: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(value)}</{tag}>" for value in values) + "</tr>"

    return "<table>" + cells("th", head) + "".join(cells("td", row) for row in rows) + "</table>"


if __name__ == "__main__":
    main()
