"""
### Roll back the recommender

Puts an earlier model, and the recommendations it last published, in force again: for when a promoted model turns out to
recommend badly. Nothing is trained or generated.

**When**: by hand alone. *Trigger* with the id of the model to go back to, from `marketing.models` (status `retired`);
empty: the one before the champion. Wait for a running night first, or its training may promote once more.

**What is normal**: seconds; about half a minute on two cores for 100,000 customers with 40 rows each. Afterwards the
model is `champion`, every model promoted after it is `rejected`, its reason says since when and in whose favour, and
the latest published date has the model's own lists as they were. Who came after these lists were made has none until
the next ones are generated. With the id of the champion nothing changes. A refused run failed without changing
anything, and the log's last line says why: an unknown or rejected id, no earlier model, no lists of it, an artifact
that is missing or broken. Artifacts are kept of the newest `recommender.kept_models` promoted models.

**What to do next**: lists put back know nothing of stock and purchases since, and messages already planned keep the
items they had. For fresh lists of the model for everybody, and messages planned with them, clear last night's run of
`nightly_marketing` from `generate_recommendations`, downstream included; from `schedule_messages` to plan alone. Do not
clear `train_recommender` of a date whose model was rejected here: it would judge anew and may promote again. Nights of
other dates leave it rejected. If what made the model bad is in the data or the settings, mend it before the next night,
which may else promote another such model.

**Again**: to retry, clear `roll_back` alone, which keeps the choice. Clearing `choose_model` of a run without an id
chooses anew, and so goes one model further back. There is no way forward by this form: a rejected model comes back only
through the night of its own date.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from lamplighter_shared import DEFAULT_ARGS, Tag, marketing_asset, run_stage


@dag(
    schedule=None,
    start_date=pendulum.datetime(2017, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    # Paused, it would keep whoever needs it in a hurry waiting; unpaused, it still never starts by itself.
    is_paused_upon_creation=False,
    default_args=DEFAULT_ARGS,
    tags=[Tag.MARKETING, Tag.BY_HAND],
    doc_md=__doc__,
    params={
        "model_id": Param(
            None,
            type=["null", "string"],
            title="Model to go back to",
            description="Its model_id; empty: the newest promoted model before the champion.",
        )
    },
)
def roll_back_model() -> None:
    @task
    def choose_model() -> str:
        """The model that was asked for, or the one before the champion; refused here if it cannot be put in force."""
        from include.recommender import RollBackRefused, choose_model

        given = (get_current_context()["params"]["model_id"] or "").strip()
        try:
            return str(run_stage(choose_model, model_id=given or None)["model_id"])
        except RollBackRefused as refused:
            raise AirflowFailException(str(refused)) from None

    @task(outlets=[marketing_asset("models"), marketing_asset("recommendations")])
    def roll_back(model_id: str) -> dict[str, Any]:
        """The chosen model becomes champion and its lists are put back, in one transaction."""
        from include.business_time import business_date_of
        from include.recommender import RollBackRefused, roll_back_model
        from include.settings import load_settings

        today = business_date_of(datetime.now(UTC), load_settings().business_time_zone)
        try:
            return run_stage(roll_back_model, model_id=model_id, rolled_back_on=today)
        except RollBackRefused as refused:
            raise AirflowFailException(str(refused)) from None

    roll_back(choose_model())  # type: ignore[arg-type]  # the id comes when it runs


roll_back_model()
