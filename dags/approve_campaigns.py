"""
### Approve a campaign

Asks a person about one campaign that is marked `requires_approval`: its messages of one night are planned, and wait.
The question, with how many people, by which channel and at which hours, at what cost and for what, and three examples,
stands in the UI under *Required Actions*, and in the REST API (`/hitlDetails`).

**When**: started by `nightly_marketing`, one run for each such campaign of the night; on other nights not at all. Not
meant to be triggered by hand: the run's `preview` says which plan the person was shown.

**What is normal**: `ask` stands at *awaiting input* for hours. That takes no worker, no triggerer and no slot of a
pool, and no night waits for it. **Approve** plans the messages: each leaves at its hour; one whose hour is over leaves
with the next delivery as long as it may (`scheduling.expires_after_hours`, never in quiet hours). **Refuse** cancels
them, and their decisions say `not_approved`. Without an answer within `scheduling.approval_hours` they count as
refused, by nobody (`timed_out`). A message whose last permitted instant passes meanwhile is `expired`, whatever the
answer.

**Again**: an approval holds for the plan that was shown, a refusal for the campaign's whole night, and of two answers
about one plan the first. A night planned again that comes out the same leaves an open question as it is and finds an
answer given before; one that differs asks anew, beside the old question. Approving that one then holds should its plan
come back; refusing it cancels whatever has not left, under any plan; left unanswered it changes nothing of another. To
take answers back before messages have left, delete the campaign's rows of that night from
`marketing.campaign_approvals`, clear that night's `nightly_marketing` from `schedule_messages`, downstream included,
and then this run. If `ask` fails, nothing is sent; clear it to ask again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from lamplighter_shared import DEFAULT_ARGS, Tag, business_date_of_run, marketing_asset, run_stage

APPROVE, REFUSE = "Approve", "Refuse"


class AskAboutCampaign(HITLOperator):
    """The question about the run's campaign, read when it is asked; who does not answer in time refuses."""

    template_fields = ()

    def execute(self, context: Any) -> Any:
        from include.scheduling import QuestionOutdated, read_question

        try:
            question = run_stage(read_question, **asked_about())
        except QuestionOutdated as outdated:
            raise AirflowSkipException(str(outdated)) from None
        self.subject, self.body = question["subject"], question["body"]
        self.response_timeout = timedelta(hours=question["hours"])
        return super().execute(context)


def asked_about() -> dict[str, Any]:
    """Which question the run is about."""
    given = get_current_context()["params"]
    return {
        "business_date": business_date_of_run(),
        "campaign_id": given["campaign_id"],
        "preview": given["preview"],
    }


@dag(
    schedule=None,
    start_date=pendulum.datetime(2017, 1, 1, tz="UTC"),
    catchup=False,
    # Campaigns, and nights planned one after the other, wait side by side.
    max_active_runs=100,
    # Longer than the longest scheduling.approval_hours.
    dagrun_timeout=timedelta(hours=24),
    # Paused, it would keep the messages of a night from being sent; unpaused, it still never starts by itself.
    is_paused_upon_creation=False,
    default_args=DEFAULT_ARGS,
    tags=[Tag.MARKETING],
    doc_md=__doc__,
    params={
        "business_date": Param(type="string", format="date", title="Business date", description="The planned night."),
        "campaign_id": Param(type="string", title="Campaign", description="One whose messages await approval."),
        "preview": Param(type="string", title="Preview", description="The key of what the person is shown."),
    },
)
def approve_campaigns() -> None:
    @task(outlets=[marketing_asset(table) for table in ("campaign_approvals", "messages", "message_decisions")])
    def record_approval(answer: dict[str, Any]) -> dict[str, Any]:
        """The answer, carried out on the campaign's messages: planned, or cancelled with a reason."""
        from include.scheduling import record_approval

        person = answer["responded_by_user"]
        chosen = "approved" if answer["chosen_options"] == [APPROVE] else "refused"
        return run_stage(
            record_approval,
            **asked_about(),
            status=chosen if person else "timed_out",
            answered_by=person["name"] if person else None,
            answered_at=answer["responded_at"],
        )

    ask = AskAboutCampaign(
        task_id="ask",
        doc_md="Waits for a person's answer, at most `scheduling.approval_hours`.",
        subject="A campaign waits for approval",
        options=[APPROVE, REFUSE],
        defaults=[REFUSE],
        response_timeout=timedelta(hours=1),
    )
    record_approval(ask.output)  # type: ignore[arg-type]  # known when it runs


approve_campaigns()
