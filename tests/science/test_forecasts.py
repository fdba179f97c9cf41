"""Forecasts of real customers, held to the days that followed: better than what anyone could guess without a model."""

from __future__ import annotations

from datetime import date

import pytest

from include.settings import FeatureSettings
from tests.science.held_out import CUTS, Judged, judge, judge_sensitivity

HORIZON = FeatureSettings().forecast_days


@pytest.fixture(scope="module", params=CUTS, ids=str)
def judged(request: pytest.FixtureRequest) -> Judged:
    return judge(request.param, HORIZON)


def test_churn_is_told_better_than_by_recency_or_by_orders_of_late(judged: Judged) -> None:
    assert judged.auc(judged.churn) > max(judged.auc(judged.recency), judged.auc(-judged.last_orders)) + 0.005


def test_churn_probabilities_are_frequencies(judged: Judged) -> None:
    assert judged.brier(judged.churn) < 0.9 * judged.brier(float(judged.silent.mean()))
    assert judged.calibration_error() < 0.03
    assert judged.churn.mean() == pytest.approx(judged.silent.mean(), abs=0.015)


def test_value_is_nearer_than_the_models_alone_than_the_spend_of_late_and_than_the_mean(judged: Judged) -> None:
    naive = (judged.model_value, judged.last_value, float(judged.came_value.mean()))
    assert judged.value_error(judged.value) < 0.99 * min(map(judged.value_error, naive))


def test_all_customers_together_are_worth_what_was_expected(judged: Judged) -> None:
    assert judged.orders.sum() == pytest.approx(judged.came_orders.sum(), rel=0.06)
    assert judged.value.sum() == pytest.approx(judged.came_value.sum(), rel=0.06)


@pytest.mark.parametrize("horizon", [28, 90])
def test_so_it_is_over_other_horizons(horizon: int) -> None:
    told = judge(date(2017, 9, 30), horizon)
    assert told.auc(told.churn) > max(told.auc(told.recency), told.auc(-told.last_orders))
    assert told.value_error(told.value) < told.value_error(told.last_value)


@pytest.mark.parametrize("cut", CUTS[1:], ids=str)
def test_who_waited_for_bargains_goes_on_waiting(cut: date) -> None:
    bargains = judge_sensitivity(cut)
    assert bargains.error(bargains.drawn) < min(bargains.error(bargains.raw), bargains.error(bargains.mean))
    assert bargains.correlation() > 0.4
