"""Plots of the report as SVG text; needs matplotlib, of the training extra."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.metrics import reliability, risk_coverage, roc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

INK, SOFT = "#1f2933", "#9aa5b1"
COLOURS = ("#0b6e99", "#d9822b", "#4c8c4a", "#9b4f96", "#7a6a53", "#c0392b", "#3b4a8c")
DASHES = ("-", "--", ":", "-.")
SIZE = (4.6, 4.0)
FEW = 10
"""Pictures in a bin of the reliability diagram; fewer say nothing."""


def _svg(draw: Callable[[Any], None], size: tuple[float, float] = SIZE) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {
        "svg.fonttype": "none", "svg.hashsalt": "report", "font.size": 9, "font.family": "sans-serif",
        "axes.edgecolor": SOFT, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e7eb",
        "grid.linewidth": 0.6, "legend.frameon": False,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def roc_curves(
    curves: Mapping[str, tuple[NDArray[np.integer], NDArray[np.floating]]],
    words: tuple[str, str] = ("benign lesions called malignant", "malignant lesions called malignant"),
) -> str:
    """Draw ROC curves; each name has labels (n,) and scores (n,). ``words``: names of the axes."""

    def draw(axes: Any) -> None:
        for number, (name, (labels, scores)) in enumerate(curves.items()):
            false, true, _ = roc(labels, scores)
            colour, dashes = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
            axes.plot(false, true, color=colour, linestyle=dashes, label=name, linewidth=1.6)
        axes.plot((0, 1), (0, 1), color=SOFT, linewidth=0.8, linestyle=":")
        axes.set(xlabel=words[0], ylabel=words[1], xlim=(0, 1))
        axes.set(ylim=(0, 1.01))
        axes.legend(loc="lower right")

    return _svg(draw)


def reliability_diagram(
    curves: Mapping[str, tuple[NDArray[np.integer], NDArray[np.floating]]],
    truth: str = "share that was malignant",
    few: int = FEW,
) -> str:
    """Draw a reliability diagram; each name has labels (n,) and calibrated probabilities (n,).

    ``truth``: name of the axis. ``few``: bins with fewer pictures are left out.
    """

    def draw(axes: Any) -> None:
        axes.plot((0, 1), (0, 1), color=SOFT, linewidth=0.8, linestyle=":")
        for (name, (labels, p)), colour in zip(curves.items(), COLOURS, strict=False):
            bins = [row for row in reliability(labels, p) if row[3] >= few]
            mean, share, half, _ = np.array(bins).reshape(-1, 4).T
            axes.errorbar(
                mean, share, yerr=half, color=colour, label=name, marker="o", markersize=4, linewidth=1.2, capsize=2
            )
        axes.set(xlabel="probability that was stated", ylabel=truth, xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="upper left")

    return _svg(draw)


def risk_curves(
    curves: Mapping[str, NDArray[np.floating]], errors: NDArray[np.bool_], chosen: tuple[float, float] | None = None
) -> str:
    """Draw risk-coverage curves; each name has an uncertainty (n,).

    ``chosen``: coverage and error of the rule that was chosen.
    """

    def draw(axes: Any) -> None:
        for (name, uncertainty), colour in zip(curves.items(), COLOURS, strict=False):
            coverage, risk = risk_coverage(errors, uncertainty)
            late = coverage >= 0.2  # a handful of pictures says nothing
            axes.plot(coverage[late], risk[late], color=colour, label=name, linewidth=1.4)
        axes.axhline(errors.mean(), color=SOFT, linewidth=0.8, linestyle=":")
        if chosen is not None:
            axes.plot(*chosen, marker="o", markersize=7, color=INK, linestyle="none", label="chosen rule")
        axes.set(xlabel="share of pictures judged", ylabel="share of wrong calls among them", xlim=(0.2, 1.0))
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1)

    return _svg(draw, (5.6, 5.2))


def histogram(values: NDArray[np.floating], label: str) -> str:
    """Draw a histogram of differences (n,); counts on a logarithmic axis, so that the worst are seen."""

    def draw(axes: Any) -> None:
        axes.hist(values, bins=40, color=COLOURS[0])
        axes.set_yscale("log")
        axes.set(xlabel=label, ylabel="pictures")

    return _svg(draw, (4.6, 3.0))


def presence_histogram(with_lesion: NDArray[np.floating], without: NDArray[np.floating]) -> str:
    """Draw histograms of the presence scores, (n,) and (m,), of pictures with and without a lesion."""

    def draw(axes: Any) -> None:
        bins = np.linspace(0, 1, 31)
        for values, name, colour in ((with_lesion, "with a lesion", COLOURS[1]), (without, "without", COLOURS[0])):
            axes.hist(values, bins=bins, density=True, alpha=0.65, color=colour, label=name)
        axes.set(xlabel="presence of the surest lesion", ylabel="density")
        axes.legend()

    return _svg(draw, (4.6, 3.0))
