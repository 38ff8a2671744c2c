"""Pictures of a replay: what they draw, and what they say when there is nothing to draw."""

from __future__ import annotations

from continual.plots.frontier import frontier, undominated
from continual.plots.policy_lines import TOLD_APART, policy_lines


def test_the_frontier_joins_those_that_nothing_cheaper_beats():
    points = {"dear": (9.0, 0.8), "cheap": (1.0, 0.6), "beaten": (5.0, 0.5), "middle": (5.0, 0.7), "free": (0.0, 0.6)}
    assert undominated(points) == ["free", "middle", "dear"]
    assert undominated(points, higher=False) == ["free", "beaten"]


def test_the_frontier_names_every_policy_and_leaves_undefined_ones_out():
    axes = frontier({"a": (1.0, 0.5), "b": (2.0, None)}, "roc_auc", "CPU").axes[0]
    assert [text.get_text() for text in axes.texts] == ["a"]
    empty = frontier({"b": (2.0, None)}, "roc_auc", "CPU").axes[0]
    assert "not defined" in empty.texts[0].get_text()


def test_of_many_lines_the_first_are_told_apart():
    lines = {f"p{i}": [0.1 * i, None, 0.2] for i in range(TOLD_APART + 3)}
    axes = policy_lines(lines, [1, 2, 3], "roc_auc", "days").axes[0]
    assert len(axes.lines) == TOLD_APART + 3
    assert len(axes.get_legend_handles_labels()[1]) == TOLD_APART
    assert "not defined" in policy_lines({"a": [None]}, [1], "roc_auc", "days").axes[0].texts[0].get_text()
