"""Which classifier reads handwritten digits best? A sweep, a reduce, a table and a picture.

Usage::

    python examples/digits.py [LOCATION] [--strengths 0.1 1 10 100]
    mpirun -n 4 python examples/digits.py [LOCATION]

Run it again with one more strength: only the new steps run, then the table and the picture. The input is
the 1,797 digits that scikit-learn ships (E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten
Digits", UCI, 1998).
"""

import argparse
import io
import os
from pathlib import Path

# One thread a process, said before numpy is loaded: under mpirun the ranks are the parallelism.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ezpyp import Pipeline, as_pickle_step

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("location", nargs="?", type=Path, default=Path(__file__).parent / "cache" / "digits")
options.add_argument("--strengths", nargs="+", type=float, default=[0.1, 1.0, 10.0, 100.0])
asked = options.parse_args()

pipeline = Pipeline(asked.location, "digits")


def classifier(model: str, strength: float) -> ClassifierMixin:
    """A classifier that trusts the data the more, the larger its strength is.

    A helper like any other: edit it, and the scores that read it are no longer what the cache has promised.
    """
    if model == "ridge":
        return RidgeClassifier(alpha=1 / strength)
    if model == "logistic":
        return LogisticRegression(C=strength, max_iter=300)
    return SVC(C=strength)


@as_pickle_step(pipeline)
def digits() -> dict[str, np.ndarray]:
    """Pixels, shape (1797, 64), 0 to 16, and labels, shape (1797,), 0 to 9."""
    pixels, labels = load_digits(return_X_y=True)
    return {"pixels": pixels, "labels": labels}


@as_pickle_step(pipeline)
def score(data: dict[str, np.ndarray], model: str, strength: float, fold: int) -> dict[str, object]:
    """Train on five sixths of the digits and count what is read right in the last one.

    The parameters come back with the accuracy, so that the reduce needs nothing but the scores: a list of
    strengths would be one more argument, and one that changes when the sweep grows.
    """
    train, test = list(StratifiedKFold(6).split(data["pixels"], data["labels"]))[fold]
    reader = make_pipeline(StandardScaler(), classifier(model, strength))
    reader.fit(data["pixels"][train], data["labels"][train])
    accuracy = float(reader.score(data["pixels"][test], data["labels"][test]))
    return {"model": model, "strength": strength, "fold": fold, "accuracy": accuracy}


@as_pickle_step(pipeline)
def summarise(scores: list[dict]) -> list[dict[str, object]]:
    """Mean and spread of the accuracy over the folds, for each model and strength; the best first."""
    groups: dict[tuple[str, float], list[float]] = {}
    for entry in scores:
        groups.setdefault((entry["model"], entry["strength"]), []).append(entry["accuracy"])
    rows = [
        {
            "model": model,
            "strength": strength,
            "mean": float(np.mean(values)),
            "spread": float(np.std(values)),
        }
        for (model, strength), values in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row["mean"], row["model"], row["strength"]))


@as_pickle_step(pipeline)
def picture(rows: list[dict]) -> bytes:
    """Accuracy over strength, one line a model, as the bytes of a PNG file."""
    from matplotlib.figure import Figure  # 0.5 s that only the rank that draws has to pay

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for model in sorted({row["model"] for row in rows}):
        line = sorted((row["strength"], row["mean"], row["spread"]) for row in rows if row["model"] == model)
        axes.errorbar(*zip(*line, strict=True), label=model, marker="o", capsize=3)
    axes.set(xscale="log", xlabel="strength", ylabel="accuracy, mean of 6 folds", title="Handwritten digits")
    axes.legend()
    png = io.BytesIO()
    # Without the version of matplotlib in it, so that the same numbers give the same bytes everywhere.
    figure.savefig(png, format="png", dpi=120, metadata={"Software": None})
    return png.getvalue()


scores = score.grid(data=[digits()], model=["ridge", "logistic", "svc"], strength=asked.strengths, fold=range(6))
table = summarise(scores)
image = picture(table)

report = pipeline.execute(check=True)

if pipeline.is_root:
    print(f"\n{'model':<10}{'strength':>10}{'mean':>8}{'spread':>8}")
    for row in table.get_result():
        print(f"{row['model']:<10}{row['strength']:>10g}{row['mean']:>8.4f}{row['spread']:>8.4f}")
    file = asked.location.with_suffix(".png")
    file.write_bytes(image.get_result())
    print(f"\n{len(scores)} scores in {asked.location}; the picture is in {file}")
