"""How often the fairness rule errs: false alarms on equal groups, and true gaps that it finds.

Every draw is judged by the rule itself (``policies.fairness.verdict.assess``) with the default parameters. The peer is
the point ratio alone, which is what most tools compare with four fifths. Seeds are fixed, so that the table is the
same at every run.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from benchmarks.report import Row
from policies.fairness.body import GroupCells, Table
from policies.fairness.params import FairnessParams
from policies.fairness.verdict import ALPHA_FAILED, assess
from policies.statistics.counts import CellCount

DRAWS = 20_000
"""Samples of each setting; the standard error of a share of 1.2 % is then 0.08 points."""

ALLOWED = 0.012
"""The largest share of false alarms on equal groups."""

RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
SIZES = (30, 50, 100, 300, 1000)
GROUPS = (2, 3, 6, 12)
TRUE_RATIOS = (0.9, 0.8, 0.7, 0.6, 0.5)

_PARAMS = FairnessParams()


@dataclass(frozen=True)
class Setting:
    """Groups of one size, with their true rates."""

    rates: tuple[float, ...]
    size: int

    @property
    def title(self) -> str:
        """The setting in words."""
        top = max(self.rates)
        return f"{len(self.rates)} groups of {self.size}, highest rate {100 * top:g} %"


def outcomes(setting: Setting, *, draws: int = DRAWS, seed: int = 5) -> dict[str, float]:
    """The share of each outcome over the draws, and under ``point`` how often the point ratio is below four fifths."""
    generator = np.random.default_rng(seed)
    counts = generator.binomial(setting.size, setting.rates, size=(draws, len(setting.rates)))
    found: Counter[str] = Counter()
    # The rule treats groups alike, so that the same counts in another order have the same outcome.
    distinct, times = np.unique(np.sort(counts, axis=1), axis=0, return_counts=True)
    for row, repeated in zip(distinct, times, strict=True):
        found[_outcome(row.tolist(), setting.size)] += int(repeated)
        found["point"] += int(repeated) * int(5 * row[0] < 4 * row[-1])
    return {name: count / draws for name, count in found.items()}


def false_alarms(setting: Setting, *, draws: int = DRAWS, seed: int = 5) -> tuple[float, float]:
    """The share of draws of equal groups that fail, and of those whose point ratio is below four fifths.

    Only draws whose extreme groups come near the level of the sure difference are judged by the rule, since no other
    can fail; how near is five times that level, by the chi-square statistic, which never exceeds Fisher's p by much.
    """
    generator = np.random.default_rng(seed)
    counts = np.sort(generator.binomial(setting.size, setting.rates, size=(draws, len(setting.rates))), axis=1)
    low, high = counts[:, 0], counts[:, -1]
    pairs = len(setting.rates) * (len(setting.rates) - 1) / 2
    pooled = (low + high) / (2 * setting.size)
    variance = 2 * pooled * (1 - pooled) / setting.size
    gap = (high - low) / setting.size
    nearest = NormalDist().inv_cdf(1 - 5 * ALPHA_FAILED / pairs / 2)
    distinct, times = np.unique(counts[gap > nearest * np.sqrt(variance)], axis=0, return_counts=True)
    failed = sum(
        int(repeated)
        for row, repeated in zip(distinct, times, strict=True)
        if _outcome(row.tolist(), setting.size) == "failed"
    )
    return failed / draws, float((5 * low < 4 * high).mean())


def _outcome(counts: Sequence[int], size: int) -> str:
    groups = tuple(
        GroupCells(
            levels=(str(index),),
            cells=(CellCount(cell="selected", rows=count), CellCount(cell="rejected", rows=size - count)),
        )
        for index, count in enumerate(counts)
    )
    return assess(Table(attributes=("group",), groups=groups), _PARAMS.metrics[0], _PARAMS).status.value


def equal_settings() -> Iterator[Setting]:
    """Equal groups over a grid of numbers of groups, sizes and rates."""
    for groups in GROUPS:
        for size in SIZES:
            for rate in RATES:
                yield Setting((rate,) * groups, size)


def unequal_settings() -> Iterator[tuple[float, Setting]]:
    """One of two groups, and one of six, selected at a true ratio of the others' rate of one half."""
    for groups in (2, 6):
        for size in (100, 300, 1000):
            for ratio in TRUE_RATIOS:
                yield ratio, Setting((0.5 * ratio, *(0.5,) * (groups - 1)), size)


def run() -> list[Row]:
    """The worst false alarms of each number of groups, then the detection table."""
    rows = []
    for groups in GROUPS:
        settings = [one for one in equal_settings() if len(one.rates) == groups]
        shares = {setting: false_alarms(setting) for setting in settings}
        worst = max(settings, key=lambda setting: shares[setting][0])
        alarms, point = shares[worst][0], max(share for _, share in shares.values())
        rows.append(
            Row(
                f"false alarms on {groups} equal groups, worst of {len(settings)} settings",
                f"{100 * alarms:.2f} % failed ({worst.title})",
                f"{100 * point:.0f} % at worst: the point ratio alone",
                ALLOWED / max(alarms, 1 / DRAWS),
                "at most 1.2 %: ratio at least 1",
            )
        )
    rows += [_detection(ratio, setting) for ratio, setting in unequal_settings()]
    return rows


def _detection(ratio: float, setting: Setting) -> Row:
    found = outcomes(setting, draws=1000)
    parts = [f"{100 * found.get(name, 0.0):.0f} % {name}" for name in ("failed", "warned", "insufficient_evidence")]
    return Row(
        f"true ratio {ratio:g}, {setting.title}",
        ", ".join(parts).replace("_", " "),
        f"{100 * found['point']:.0f} % below four fifths: the point ratio alone",
        found.get("failed", 0.0) / max(found["point"], 1e-9),
        "none; at 0.8 and above a failure is an error" if ratio >= 0.8 else "none",
    )
