"""Charts that no page's own tests draw."""

from __future__ import annotations

import json
import re
from typing import Any

from include.reporting.charts import accuracy_against_diversity


def point(diversity: float, weight: float, **figures: Any) -> dict[str, Any]:
    return {
        "diversity": diversity,
        "margin_weight": weight,
        "ndcg@10": round(0.3 - diversity / 10, 6),
        "intra_list_diversity": 0.5 + diversity / 2,
        "mean_margin": 0.25,
        "coverage": 0.1,
    } | figures


def test_accuracy_against_diversity_has_a_line_per_margin_weight_from_the_smallest_lambda_on() -> None:
    points = [point(0.4, 1.0), point(0.4, 0.0), point(0.0, 1.0), point(0.0, 0.0), point(0.2, 0.0, mean_margin=None)]
    figure = accuracy_against_diversity(points)
    assert figure is not None
    assert [line["name"] for line in figure["data"]] == ["margin weight 0", "margin weight 1"]
    assert [line["x"] for line in figure["data"]] == [[0.5, 0.6, 0.7], [0.5, 0.7]]
    assert [line["y"] for line in figure["data"]] == [[0.3, 0.28, 0.26], [0.3, 0.26]]
    assert figure["data"][0]["customdata"][1] == [0.2, "not known", 0.1]
    assert figure["layout"]["showlegend"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "Diversity within a list"
    assert figure["layout"]["yaxis"]["title"]["text"] == "nDCG@10"
    colours = {line["line"]["color"] for line in figure["data"]}
    assert len(colours) == 2
    assert all(re.fullmatch(r"var\(--[a-z-]+\)", colour) for colour in colours)
    assert "http" not in json.dumps(figure)


def test_one_line_needs_no_legend_and_no_point_no_chart() -> None:
    figure = accuracy_against_diversity([point(0.0, 0.0), point(0.2, 0.0)])
    assert figure is not None
    assert not figure["layout"]["showlegend"]
    assert accuracy_against_diversity([]) is None
    assert accuracy_against_diversity([point(0.0, 0.0, intra_list_diversity=None)]) is None
