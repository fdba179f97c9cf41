"""
### Preview messages

Plans the messages of one night as `nightly_marketing` would, shows everything and sends nothing: decisions by campaign
and reason, messages by channel and hour, cost, expected value, examples with the sentence that explains them. The plan
is taken back whole: messages, decisions and holdouts stay as they are.

**When**: by hand alone, after a campaign or a setting was changed and before the night that will act on it. *Trigger*
with a `business_date` whose night has run up to `publish_recommendations` and `learn_send_times`; what is planned are
the messages of the day after.

**What is normal**: as long as `schedule_messages` takes, which waits meanwhile if the night plans at that moment. Look
at the result on the page *Marketing*, under *Preview*, or in `marketing.plan_previews`. A night without features or
hour models fails and says which task must run first.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Param, dag, task
from lamplighter_shared import DEFAULT_ARGS, Tag, business_date_of_run, marketing_asset, run_stage


@dag(
    schedule=None,
    start_date=pendulum.datetime(2017, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    is_paused_upon_creation=False,
    default_args=DEFAULT_ARGS,
    tags=[Tag.MARKETING, Tag.BY_HAND],
    doc_md=__doc__,
    params={
        "business_date": Param(
            type="string",
            format="date",
            title="Business date",
            description="A night that has learned already; the messages of the day after are planned.",
        )
    },
)
def preview_messages() -> None:
    @task(outlets=[marketing_asset("plan_previews")])
    def plan_without_keeping() -> dict[str, Any]:
        """The plan of the night, written to plan_previews and taken back; the log says where to look."""
        import logging

        from include.scheduling import preview_messages

        business_date = business_date_of_run()
        summary = run_stage(preview_messages, business_date=business_date)
        logging.getLogger(__name__).info(
            "Nothing was kept or sent. Look at the plan on the page Marketing, tab Preview: marketing/preview"
            "?business_date=%s",
            business_date,
        )
        return summary

    plan_without_keeping()


preview_messages()
