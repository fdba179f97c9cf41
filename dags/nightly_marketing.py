"""
### The nightly round

For business date **D**, the day that has just ended: read all data up to the end of D, refuse bad data, learn what each
customer wants, publish recommendations, decide who gets which message on D+1 at which hour, and report what was earned.

**When**: every night at 02:00 of the business's time zone, for the day before. By hand: *Trigger* with a
`business_date` (empty: the last completed day). Any date can be run again, cleared or backfilled: the same data give
the same tables. Only a source table is read as it is by then: rows that changed since come with the next night.

No message is planned for an hour before `scheduling.earliest_send_time` (04:00): raise it if your night takes longer.

**What is normal**: about two minutes for a few thousand customers and a million events on two cores; up to five once a
week and on the first night, when the order of recommendations is learned. A failed `check_data_quality` is the gate at
work: nothing was trained or planned, yesterday's recommendations stay published, and the task's last log line says
which table, which expectation and how many rows. Mend the export, drop the file again under the same name (it replaces
its own rows) and clear the failed run from `load_landing_files`.

**Who follows**: `deliver_messages` sends what `schedule_messages` planned. If messages await a person's approval,
`ask_for_approval` starts `approve_campaigns` and does not wait for it; else it is skipped. Your own DAGs can follow the
assets `marketing.recommendations`, `marketing.messages`, `marketing.campaign_results` and the others that the tasks
produce.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowFailException
from lamplighter_shared import BUSINESS_TIME_ZONE, DEFAULT_ARGS, Tag, business_date_of_run, marketing_asset, run_stage


@dag(
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone=BUSINESS_TIME_ZONE),
    start_date=pendulum.datetime(2017, 1, 1, tz=BUSINESS_TIME_ZONE),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=DEFAULT_ARGS,
    tags=[Tag.MARKETING, Tag.NIGHTLY],
    doc_md=__doc__,
    params={
        "business_date": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Business date",
            description="The completed day to run for; empty: the last completed day.",
        )
    },
)
def nightly_marketing() -> None:
    @task(
        outlets=[
            marketing_asset(table)
            for table in ("customers", "items", "events", "consents", "campaigns", "engagements", "suppressions")
        ]
    )
    def load_landing_files() -> dict[str, Any]:
        """Sources and landing files up to D into the tables; what reacted to messages into suppressions."""
        from include.business_time import start_of_day
        from include.delivery import process_engagements
        from include.landing import export_sources, load_landing_files
        from include.settings import load_settings

        business_date = business_date_of_run()
        end_of_day = start_of_day(business_date + timedelta(days=1), load_settings().business_time_zone)
        # One broken source or file must not keep the others out, nor their unsubscribes from taking effect.
        try:
            try:
                exported = run_stage(export_sources, business_date=business_date)
            finally:
                loaded = run_stage(load_landing_files, business_date=business_date)
        finally:
            processed = run_stage(process_engagements, as_of=end_of_day)
        return exported | loaded | processed

    @task(outlets=[marketing_asset("quality_results")])
    def check_data_quality() -> dict[str, Any]:
        """The gate: a critical failure ends the run here, without a retry, since the same data fail again."""
        from include.quality import QualityGateFailed, check_data_quality

        try:
            return run_stage(check_data_quality, business_date=business_date_of_run())
        except QualityGateFailed as failed:
            raise AirflowFailException(str(failed)) from None

    @task(outlets=[marketing_asset("customer_features"), marketing_asset("item_features")])
    def build_features() -> dict[str, Any]:
        """Profiles of customers and items, and weighted interactions, as of the end of D."""
        from include.features import build_features

        return run_stage(build_features, business_date=business_date_of_run())

    @task(outlets=[marketing_asset("models")])
    def train_recommender() -> list[int]:
        """Fit, judge on a time split, register, promote or reject; returns the shards to generate for."""
        from include.recommender import train_recommender

        return run_stage(train_recommender, business_date=business_date_of_run())["shards"]

    @task
    def generate_recommendations(shard: int) -> dict[str, Any]:
        """The lists of one shard of customers, as drafts."""
        from include.recommender import generate_recommendations

        return run_stage(generate_recommendations, business_date=business_date_of_run(), shard=shard)

    @task(outlets=[marketing_asset("recommendations")])
    def publish_recommendations() -> dict[str, Any]:
        """All drafts of D become the published lists, in one transaction."""
        from include.recommender import publish_recommendations

        return run_stage(publish_recommendations, business_date=business_date_of_run())

    @task(outlets=[marketing_asset("send_time_curves")])
    def learn_send_times() -> dict[str, Any]:
        """Each customer's click rate by channel, day type and local hour, with its uncertainty."""
        from include.scheduling import learn_send_times

        return run_stage(learn_send_times, business_date=business_date_of_run())

    @task(outlets=[marketing_asset("response_models")])
    def learn_responses() -> dict[str, Any]:
        """What a click is worth by channel and campaign, and what one message more risks."""
        from include.scheduling import learn_responses

        return run_stage(learn_responses, business_date=business_date_of_run())

    @task(
        outlets=[
            marketing_asset(table) for table in ("message_decisions", "messages", "holdouts", "campaign_approvals")
        ]
    )
    def schedule_messages() -> dict[str, Any]:
        """A decision with a reason for every candidate, and the messages of D+1."""
        from include.scheduling import schedule_messages

        return run_stage(schedule_messages, business_date=business_date_of_run())

    @task(outlets=[marketing_asset("policy_values")])
    def evaluate_policies() -> dict[str, Any]:
        """What the choice of channel and hour is worth beside simpler ways, from the log of decisions alone."""
        from include.scheduling import evaluate_policies

        return run_stage(evaluate_policies, business_date=business_date_of_run())

    @task
    def find_campaigns_to_approve() -> list[dict[str, Any]]:
        """A run of approve_campaigns for each campaign whose messages of D+1 await a person; mostly none."""
        from include.scheduling import find_campaigns_to_approve

        night = run_stage(find_campaigns_to_approve, business_date=business_date_of_run())
        date = night["business_date"]
        # Named by what is shown: the same plan again leaves an open question as it is, another plan asks anew.
        return [
            {
                "trigger_run_id": f"night_of_{date}_{preview}",
                "conf": {"business_date": date, "campaign_id": campaign_id, "preview": preview},
            }
            for campaign_id, preview in night["previews"].items()
        ]

    @task(outlets=[marketing_asset(table) for table in ("campaign_results", "campaign_lift", "campaign_roi")])
    def compute_reports() -> dict[str, Any]:
        """Click rates, lift and ROI up to the end of D, each with its interval or the word that data are too few."""
        from include.reporting import compute_reports

        return run_stage(compute_reports, business_date=business_date_of_run())

    features, shards, plan = build_features(), train_recommender(), schedule_messages()
    load_landing_files() >> check_data_quality() >> features >> shards
    generate_recommendations.expand(shard=shards) >> publish_recommendations() >> plan
    # Hours and responses need no recommendations: they are learned beside them.
    features >> [learn_send_times(), learn_responses()] >> plan
    plan >> [compute_reports(), evaluate_policies()]
    # Runs of their own: people may take hours, and neither reports nor the next night wait for them.
    approvals = find_campaigns_to_approve()
    plan >> approvals
    TriggerDagRunOperator.partial(
        task_id="ask_for_approval",
        doc_md="Starts approve_campaigns for each such campaign; skipped where there is none, or it is asked already.",
        trigger_dag_id="approve_campaigns",
        logical_date=None,
        skip_when_already_exists=True,
    ).expand_kwargs(approvals)


nightly_marketing()
