"""The settings of a made-up world: what an experiment chooses. Rates it does not choose are in ``rates``."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from include.db.tables import EVERY_CAMPAIGN, NEXT_PURCHASE
from include.settings import Channel, Share, TimeZoneName
from include.simulator import rates

DefectKind = Literal[
    "no_events",
    "cut_off",
    "repeated",
    "unknown_items",
    "unknown_customers",
    "no_quantity",
    "unreadable_times",
    "absurd_prices",
    "future_events",
    "missing_prices",
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CampaignTerms(_Section):
    """A campaign as it lands, and what its messages truly do."""

    campaign_id: str
    channels: tuple[Channel, ...] = ("email", "app_push")
    audience: tuple[str, ...] = ()
    """Customer segments; empty: everyone."""
    purpose: str = NEXT_PURCHASE
    items_per_message: PositiveInt = 4
    priority: int = 1
    cost_per_message: Annotated[float, Field(ge=0)] = 0.002
    control_share: Share = 0.2
    first_send: NonNegativeInt = 0
    """Days after the first send date."""
    days: PositiveInt = 365
    orders_per_click: Share = rates.ORDERS_PER_CLICK
    """Of those who clicked, who buy what they would not have bought: the campaign's lift. 0: it has none, however many
    click and, by themselves, buy."""
    orders_without_click: Share = 0.0
    """Of those who got the message and did not click, at a click rate of ``World.click_rate``; in proportion to it."""

    @model_validator(mode="after")
    def _has_a_name_of_its_own(self) -> Self:
        if self.campaign_id == EVERY_CAMPAIGN:
            raise ValueError(f"campaign_id {EVERY_CAMPAIGN!r} is what reports call all campaigns together")
        return self


class Defect(_Section):
    """What is wrong with the events of one day."""

    kind: DefectKind
    day: int
    """Days after the first night; 0 is its own business date."""
    share: Share = 0.2
    """Of the day's events, where not all of them."""


class ZoneShare(_Section):
    """So many customers in this zone, in proportion to the other zones' shares."""

    time_zone: TimeZoneName
    share: Annotated[float, Field(gt=0)]
    country: str
    locale: str


ZONES = (
    ZoneShare(time_zone="America/New_York", share=0.34, country="US", locale="en-US"),
    ZoneShare(time_zone="America/Los_Angeles", share=0.14, country="US", locale="en-US"),
    ZoneShare(time_zone="Europe/Berlin", share=0.28, country="DE", locale="de-DE"),
    ZoneShare(time_zone="Europe/London", share=0.14, country="GB", locale="en-GB"),
    ZoneShare(time_zone="Asia/Tokyo", share=0.06, country="JP", locale="ja-JP"),
    ZoneShare(time_zone="Australia/Lord_Howe", share=0.02, country="AU", locale="en-AU"),
    ZoneShare(time_zone="Pacific/Kiritimati", share=0.01, country="KI", locale="en-KI"),
    ZoneShare(time_zone="Pacific/Apia", share=0.01, country="WS", locale="en-WS"),
)

CAMPAIGNS = (
    CampaignTerms(campaign_id="picks", audience=("new", "loyal", "regular")),
    CampaignTerms(campaign_id="comeback", audience=("at_risk", "lapsed"), orders_per_click=0.0),
    CampaignTerms(campaign_id="welcome", audience=("no_purchase",)),
)
"""One whose messages sell as published, one that only seems to, and one for those who have not bought yet. An
experiment that cannot wait for so few orders raises ``orders_per_click`` in a world of its own."""


class World(_Section):
    """A shop whose truth is known. Days are business days; the same world gives the same rows whenever it is asked."""

    seed: int = 1
    customers: PositiveInt = 2_000
    items: PositiveInt = 1_000
    categories: PositiveInt = 24
    styles: PositiveInt = 12
    """Kinds of customers, each with an order of its own among a category's items."""
    first_night: date = date(2026, 3, 2)
    """The first business date that is run; its history begins ``history_days`` before."""
    history_days: PositiveInt = 60
    time_zones: Annotated[tuple[ZoneShare, ...], Field(min_length=1)] = ZONES
    visits_per_day: Annotated[float, Field(ge=0)] = 0.15
    staples_per_customer: NonNegativeInt = 4
    """Items that a customer buys regularly, at most."""
    cold_share: Share = 0.1
    """Customers who never come by themselves, so that nothing is known of them but what they answer."""
    joining_share: Share = 0.1
    """Customers who join in the 90 days from the first night on."""
    personal_hours: Literal["none", "mild", "strong"] = "mild"
    click_rate: Annotated[float, Field(gt=0, lt=0.5)] = rates.CLICK_RATE
    """Of a middling message by email at a random hour; raise it where an experiment cannot wait for 1% clicks."""
    fatigue: Annotated[float, Field(ge=0)] = 0.15
    """How much each message in mind lowers the log odds of a click, at the middle customer."""
    peak_drift_hours: float = 0.0
    """How far half of all customers' peaks move in 90 days."""
    taste_drift_share: Share = 0.0
    """Customers who take to other categories on some day of the first 90."""
    campaigns: tuple[CampaignTerms, ...] = CAMPAIGNS
    defects: tuple[Defect, ...] = ()

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.items < self.categories:
            raise ValueError(f"{self.items} items cannot fill {self.categories} categories")
        names = [terms.campaign_id for terms in self.campaigns]
        if len(set(names)) < len(names):
            raise ValueError("campaigns must have different ids")
        return self

    @property
    def first_day(self) -> date:
        """Of the history."""
        return self.first_night - timedelta(days=self.history_days)

    @property
    def strength(self) -> float:
        """A of ``rates.STRENGTHS``."""
        return rates.STRENGTHS[self.personal_hours]

    def days_since_first_night(self, day: date) -> int:
        return (day - self.first_night).days

    def defects_of(self, day: date) -> tuple[Defect, ...]:
        return tuple(defect for defect in self.defects if defect.day == self.days_since_first_night(day))


def world_named(name: str) -> World:
    """``none``, ``mild`` or ``strong`` for a world with personal hours of that strength, or a YAML file of settings.

    Raises ValueError that names the choices, and pydantic's ValidationError for a setting that does not exist.
    """
    if name in rates.STRENGTHS:
        return World.model_validate({"personal_hours": name})
    path = Path(name)
    if not path.is_file():
        raise ValueError(
            f"no world {name!r}: choose {', '.join(rates.STRENGTHS)}, or name a YAML file of World's settings"
        )
    return World.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
