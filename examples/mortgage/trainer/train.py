"""Trains one family of classifiers, its size chosen by cross-validation on the training part alone."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import millrace
from applications import FEATURES, LABEL, answers, features, read_rows

FOLDS = 5


def families(seed: int):
    """By name: the classifier, the parameter that is its size, and the sizes to try in growing order.

    Each fits in one thread (n_jobs stays 1), so that the same seed gives the same model on any number of cpus.
    """
    forest = RandomForestClassifier(min_samples_leaf=10, warm_start=True, random_state=seed)
    boosting = GradientBoostingClassifier(
        learning_rate=0.05,
        max_depth=3,
        subsample=0.8,
        min_samples_leaf=10,
        warm_start=True,
        random_state=seed,
    )
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed))
    return {
        "forest": (forest, "n_estimators", range(25, 301, 25)),
        "boosting": (boosting, "n_estimators", range(10, 151, 10)),
        "logistic": (logistic, "logisticregression__C", [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]),
    }


def main() -> None:
    options = parse_options()
    rows = read_rows(options.data)
    x, y = np.array(features(rows)), np.array(answers(rows, LABEL))
    classifier, parameter, sizes = families(options.seed)[options.kind]
    size, auc, scores = cross_validate(classifier, parameter, sizes, x, y, options.seed)
    final = clone(classifier).set_params(**{parameter: size}).fit(x, y)
    # Deny as large a share as the lender did. Fixed on scores of rows each fold had not seen, never on the test part.
    threshold = float(np.quantile(scores, 1 - y.mean()))
    save(options.out, final, {
        "kind": options.kind, parameter.split("__")[-1]: size, "seed": options.seed, "threshold": threshold,
        "features": FEATURES, "validationAuc": auc, "trainedOn": len(rows),
    })  # fmt: skip
    millrace.output(kind=options.kind, auc=auc)
    print(
        f"{options.kind}: {parameter} = {size}, AUC {auc:.4f} in {FOLDS}-fold cross-validation on {len(rows)} rows"
    )


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=["forest", "boosting", "logistic"], required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def cross_validate(classifier, parameter, sizes, x, y, seed):
    """The best size, its AUC, and each row's score by the model that had not seen it.

    The folds' models grow side by side, so that the curve of the mean AUC can be watched while they train. Each size is a
    checkpoint: a training that was killed goes on with the next one, on any host, and comes to the same model.
    """
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, y))
    done, models, best = millrace.load_checkpoint((0, [clone(classifier) for _ in folds], None))
    for stage, size in list(enumerate(sizes))[done:]:
        scores = np.empty(len(y))
        for model, (fit, held) in zip(models, folds):
            model.set_params(**{parameter: size}).fit(x[fit], y[fit])
            scores[held] = model.predict_proba(x[held])[:, 1]
        auc = float(np.mean([roc_auc_score(y[held], scores[held]) for _, held in folds]))
        millrace.metric("auc", auc, index=size if isinstance(sizes, range) else stage)
        millrace.progress((stage + 1) / (len(sizes) + 1), f"{parameter} = {size}")
        if best is None or auc > best[1]:
            best = size, auc, scores
        millrace.save_checkpoint((stage + 1, models, best))
        if millrace.stopping():
            millrace.leave()
    return best


def save(folder: Path, model, about: dict) -> None:
    folder.mkdir(parents=True)
    joblib.dump(model, folder / "model.joblib")
    (folder / "model.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
