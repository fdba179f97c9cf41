"""
### A better recipe, once a week

Searches for better parameters of the recommender's models, a time-boxed search on the data of the last night, and
proposes what it found. Nothing changes by it: the next `nightly_marketing` judges the proposal beside the champion, on
days that the search has not seen, and promotes or rejects it with a reason in `models`.

**When**: Sundays at 06:00 of the business's time zone, after the night's run, on the data that it left. By hand:
*Trigger* with the `minutes` it may take.

**What is normal**: it takes the minutes it is given. Nothing proposed is a good outcome too: the summary says so.
A task that was stopped goes on where it was when it is cleared: trials are kept in the schema `lamplighter_tuning`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, Param, dag, get_current_context, task
from lamplighter_shared import BUSINESS_TIME_ZONE, DEFAULT_ARGS, Tag, marketing_asset, run_stage


@dag(
    schedule=CronDataIntervalTimetable("0 6 * * 0", timezone=BUSINESS_TIME_ZONE),
    start_date=pendulum.datetime(2017, 1, 1, tz=BUSINESS_TIME_ZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=DEFAULT_ARGS,
    tags=[Tag.MARKETING],
    doc_md=__doc__,
    params={
        "minutes": Param(30, type="number", minimum=0.1, title="Minutes", description="So long it searches."),
    },
)
def tune_recommender() -> None:
    @task(outlets=[marketing_asset("models")], execution_timeout=timedelta(hours=5))
    def tune_recommender() -> dict[str, Any]:
        """Trials of other parameters on an earlier cut; what is better becomes a challenger."""
        from include.recommender import tune_recommender

        minutes = float(get_current_context()["params"]["minutes"])
        return run_stage(tune_recommender, minutes=minutes)

    tune_recommender()


tune_recommender()
