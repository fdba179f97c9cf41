"""What the choice of channel and hour is worth beside other ways, as ``policy_values`` has it for a date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from include.reporting.estimates import Estimate

OURS = "as_logged"
SHOWN_ESTIMATOR = "dr"
EXPERIMENT = "experiment"
"""Not an estimator: a control of sends at random hours, compared with the others of the same nights."""
POLICY_ORDER = (OURS, "random_hour", "modal_hour", "global_hour")
ESTIMATOR_ORDER = (SHOWN_ESTIMATOR, "snips", "ips", EXPERIMENT)

POLICY_VALUES = text(
    "select * from marketing.policy_values where business_date = :business_date and metric = 'click' "
    "order by array_position(:policies, policy), array_position(:estimators, estimator)"
)


@dataclass(frozen=True)
class PolicyWorth:
    """Clicks per send of one way of choosing, and what ours has more (gain); Estimates are empty where data are few."""

    policy: str
    estimator: str
    sends: int
    left_out: int
    effective_sample_size: float | None
    click_rate: Estimate
    gain: Estimate
    verdict: str

    @property
    def tone(self) -> str:
        """``good``: ours gains; ``bad``: it loses; ``open``: neither is shown."""
        if self.gain.low is not None and self.gain.low > 0:
            return "good"
        return "bad" if self.gain.high is not None and self.gain.high < 0 else "open"


@dataclass(frozen=True)
class ChoiceWorth:
    """Every way there is a row of. ``shown``: one row each; ``others``: the same by other estimators."""

    shown: Sequence[PolicyWorth]
    others: Sequence[PolicyWorth]
    includes_generated: bool

    @property
    def at_random(self) -> int:
        """Messages of the experiment's control."""
        return sum(one.sends for one in self.shown if one.estimator == EXPERIMENT)

    @property
    def ours(self) -> PolicyWorth:
        return self.shown[0]


def choice_worth(connection: Connection, business_date: date) -> ChoiceWorth | None:
    """Of ``business_date``; None where nothing has been valued."""
    bound = {
        "business_date": business_date,
        "policies": list(POLICY_ORDER),
        "estimators": list(ESTIMATOR_ORDER),
    }
    rows = connection.execute(POLICY_VALUES, bound).all()
    if not rows:
        return None
    found = [
        PolicyWorth(
            policy=row.policy,
            estimator=row.estimator,
            sends=row.sends,
            left_out=row.left_out,
            effective_sample_size=row.effective_sample_size,
            click_rate=Estimate(row.value, row.ci_low, row.ci_high),
            gain=Estimate(row.difference, row.difference_low, row.difference_high),
            verdict=row.verdict,
        )
        for row in rows
    ]
    return ChoiceWorth(
        shown=[one for one in found if one.estimator in (SHOWN_ESTIMATOR, EXPERIMENT)],
        others=[one for one in found if one.estimator not in (SHOWN_ESTIMATOR, EXPERIMENT)],
        includes_generated=any(row.includes_generated for row in rows),
    )
