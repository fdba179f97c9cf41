"""One frozen, validated settings object for the whole house.

Sources, the later winning: the defaults below, the YAML file named by ``LAMPLIGHTER_SETTINGS``, the environment
(``LAMPLIGHTER_<FIELD>``, nested fields by a double underscore: ``LAMPLIGHTER_DELIVERY__SMTP_HOST``).
An unknown key, in the file or in the environment, is an error that names the key.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from include.db.tables import LANDING_TABLES
from include.expectation_catalogue import ARGUMENTS, COLUMN_ARGUMENTS, known_arguments, required_arguments

PROJECT_ROOT = Path(__file__).resolve().parent.parent
STATE_DIRECTORY = PROJECT_ROOT / ".lamplighter"
ENVIRONMENT_PREFIX = "LAMPLIGHTER_"
SETTINGS_FILE_VARIABLE = "LAMPLIGHTER_SETTINGS"

Share = Annotated[float, Field(ge=0, le=1)]
Channel = Literal["email", "app_push"]
CHANNELS: tuple[Channel, ...] = ("email", "app_push")


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not an IANA time zone; write for example 'America/New_York'")
    return name


TimeZoneName = Annotated[str, AfterValidator(_known_zone)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SourceSettings(_Section):
    """A table of the team's own in Postgres, landed each night like a file."""

    table: Literal["customers", "items", "events", "consents", "campaigns", "message_history", "engagements"]
    """The landing table it fills."""
    relation: Annotated[str, Field(pattern=r"^[^./\\]+\.[^./\\]+$")]
    """``schema.table`` of the source, as Postgres spells it, without quotes."""
    columns: Annotated[dict[str, str], Field(min_length=1)]
    """The landing table's column: the source's column. Instants must be ``timestamptz``."""
    watermark: str
    """Column (``timestamptz``) that says when a row came in or last changed."""
    lag_minutes: Annotated[int, Field(ge=0)] = 0
    """Rows may come in this much later than their watermark says."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL of the source's database; unset, the marketing database."""


def _named_once(sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
    """Two of one name would write over each other's files."""
    names = [(source.table, source.relation) for source in sources]
    for table, relation in sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{relation} fills {table} twice; name it once, or make a view of the second")
    return sources


class ExpectationSettings(_Section):
    """An expectation of the team's own; what is not named here is an argument of the expectation."""

    model_config = ConfigDict(extra="allow")

    table: Literal["customers", "items", "events", "consents", "campaigns", "message_history", "engagements"]
    expectation: str
    """Great Expectations' name of it, ``expect_column_values_to_be_between`` say, or ``rows_where``."""
    severity: Literal["critical", "warning", "info"]
    """critical stops the run, warning and info are reported."""
    column: str | None = None
    condition: str | None = None
    """Of ``rows_where``: an SQL expression over the table's columns that no row may meet."""
    name: Annotated[str, Field(pattern=r"^[a-z]\w*$")] | None = None
    """What quality_results and quality_failures call it; unset, its column, else the expectation."""

    @property
    def arguments(self) -> dict[str, Any]:
        """All that was given of the expectation's own arguments."""
        given = {"column": self.column, "condition": self.condition}
        return {name: value for name, value in given.items() if value is not None} | (self.model_extra or {})

    @property
    def label(self) -> str:
        return self.name or self.column or self.expectation

    @model_validator(mode="after")
    def _holds_to_the_catalogue(self) -> Self:
        _choose("expectation", self.expectation, ARGUMENTS)
        for argument in self.arguments:
            _choose(f"argument of {self.expectation}", argument, known_arguments(self.expectation))
        missing = required_arguments(self.expectation) - set(self.arguments)
        if missing:
            raise ValueError(f"{self.expectation} needs {', '.join(sorted(missing))}")
        for argument in COLUMN_ARGUMENTS:
            named = self.arguments.get(argument, ()) if not self.expectation.startswith("expect_table") else ()
            for column in [named] if isinstance(named, str) else named:
                _choose(f"column of {self.table}", column, LANDING_TABLES[self.table].c.keys())
        if self.condition is not None and ";" in self.condition:
            raise ValueError("a condition is one SQL expression, without a semicolon")
        return self


def _choose(what: str, chosen: str, choices: Iterable[str]) -> None:
    if chosen not in choices:
        raise ValueError(f"{chosen!r} is no {what}; choose from: {', '.join(choices)}")


def _labelled_once(expectations: tuple[ExpectationSettings, ...]) -> tuple[ExpectationSettings, ...]:
    """quality_results has a row for each."""
    labels = [(expected.table, expected.expectation, expected.label) for expected in expectations]
    for table, expectation, label in sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"{expectation} is expected of {table} twice as {label!r}; give each a name of its own")
    return expectations


class QualitySettings(_Section):
    """When a night is stopped, and when it only reports."""

    minimum_events: PositiveInt = 1
    """Fewer events than this on the business date stop the run."""
    maximum_unknown_item_share: Share = 0.05
    maximum_unknown_customer_share: Share = 0.05
    maximum_quarantined_share: Share = 0.05
    """A larger share of a folder's rows in quarantine stops the run, for customers, items and events and from 20 rows
    on; otherwise it is a warning."""
    volume_tolerance: Annotated[float, Field(gt=1)] = 3.0
    """Events of the date may be this many times above or below the median of the same weekday; beyond is a warning."""
    minimum_volume_share: Share = 0.15
    maximum_volume_rise: Annotated[float, Field(gt=1)] = 20.0
    """Events of the date beside the median of the same weekday: fewer or more stop the run. Judged, as all that
    follows up to the type distance, once four of the last eight such weekdays had events, and 20 in the median."""
    maximum_type_distance: Share = 0.5
    """Half the sum of the differences between the shares of event types and their past ones; more stops the run, half
    of it is a warning."""
    maximum_share_set_aside: Share = 0.05
    """A larger share of a folder's events that break one rule and are set aside stops the run, from 20 rows on."""
    price_outlier_factor: Annotated[float, Field(gt=1)] = 20.0
    quantity_outlier_factor: Annotated[float, Field(gt=1)] = 50.0
    """A purchase at least this many times above or below its category's median, and far beyond the category's own
    spread, is set aside."""
    data_docs_nights: PositiveInt = 60
    """Business dates whose data quality report is kept below the artifacts."""
    expectations: Annotated[tuple[ExpectationSettings, ...], AfterValidator(_labelled_once)] = ()


class LifecycleSettings(_Section):
    """Where one stage of a customer's life ends; days are business days.

    A customer's own interval is the mean number of days between purchase days in the profile window.
    """

    new_days: PositiveInt = 30
    """First bought less than this long ago: new. Bought again less than this long ago after lapsing: reactivated."""
    at_risk_days: PositiveInt = 14
    at_risk_intervals: Annotated[float, Field(gt=0)] = 3.0
    """Silent for more than both, the days and so many of the customer's own intervals: at risk."""
    lapsed_days: PositiveInt = 60
    lapsed_intervals: Annotated[float, Field(gt=0)] = 6.0
    """Likewise: lapsed."""
    usual_interval_days: PositiveInt = 30
    """Stands for the own interval of a customer with fewer than two purchase days."""

    @model_validator(mode="after")
    def _risk_comes_first(self) -> LifecycleSettings:
        if self.lapsed_days < self.at_risk_days or self.lapsed_intervals < self.at_risk_intervals:
            raise ValueError("lapsed_days and lapsed_intervals must not be below at_risk_days and at_risk_intervals")
        return self


class FeatureSettings(_Section):
    """How what customers did becomes numbers."""

    half_life_days: Annotated[float, Field(gt=0)] = 60.0
    event_weights: dict[str, float] = {
        "view": 0.1,
        "search": 0.0,
        "click": 0.2,
        "add_to_cart": 0.5,
        "purchase": 1.0,
        "return": -1.0,
        "rating": 0.0,
    }
    event_half_life_days: dict[str, Annotated[float, Field(gt=0)]] = {}
    """Half-life of an event type that has one of its own; each night then adds up all daily aggregates anew."""
    profile_days: PositiveInt = 365
    """Days of history a customer's profile looks back on."""
    favourite_categories: PositiveInt = 5
    bargain_below: Share = 0.1
    """A purchase this far below the item's median price, as a share of it, is a bargain to ``discount_sensitivity``."""
    lifecycle: LifecycleSettings = LifecycleSettings()
    forecast_days: PositiveInt = 60
    """Days ahead that ``churn_probability``, ``expected_orders`` and ``expected_value`` speak of."""


class PurposeDays(_Section):
    """Days for each of the two kinds of lists."""

    next_purchase: Annotated[int, Field(ge=0, le=3650)] = 0
    discovery: Annotated[int, Field(ge=0, le=3650)] = 0


class ListRules(_Section):
    """What bends the order of a list; none of it by default, since each rule costs accuracy (see the frontier)."""

    per_category: PositiveInt | None = None
    per_brand: PositiveInt | None = None
    """At most so many items of one category or brand in a list."""
    diversity: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """How much an item's likeness to what the list already holds counts against it."""
    margin_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How much a margin above the usual counts for an item."""


class ListRulesByPurpose(_Section):
    """Rules for each of the two kinds of lists."""

    next_purchase: ListRules = ListRules()
    discovery: ListRules = ListRules()


class RecommenderSettings(_Section):
    """The models, their evidence and the lists they make."""

    models: dict[str, dict[str, Any] | None] = {}
    """Parameters of parts of the recipe that shall differ from the defaults, such as ``als: {factors: 64}``; null
    leaves a part out."""
    ranker: dict[str, Any] = {}
    """The same for the ranker, such as ``rounds: 200``."""
    segment_by: Literal["country", "locale", "time_zone"] = "country"
    """What is popular is popular among customers who have this in common, as far as there are enough of them."""
    target_event: Literal["purchase", "rating", "click", "add_to_cart", "view"] | None = None
    """The event type that is foretold; none: purchase, or where there are none rating, click, add_to_cart, view."""
    threads: PositiveInt = 2
    """The task's share of cores."""
    seed: NonNegativeInt = 20170101
    evaluation_days: PositiveInt = 28
    """Days that are hidden to learn from and to judge by: at most a quarter of the history."""
    evaluation_customers: PositiveInt = 5000
    learning_splits: PositiveInt = 6
    """So many times the history is cut, each time ``evaluation_days`` earlier: the newest judges, all teach."""
    learning_customers: PositiveInt = 1000
    """Drawn of each cut to learn the order from."""
    learn_again_after_days: PositiveInt = 7
    """In between, models are fitted anew each night, and the order that was learned is kept."""
    kept_models: Annotated[int, Field(ge=2)] = 14
    """Artifacts of so many promoted models are kept, to be put in force again; older ones are deleted."""
    bootstrap_samples: PositiveInt = 1000
    promotion_tolerance: Annotated[float, Field(ge=0, le=0.1)] = 0.01
    """A challenger's nDCG@10 may lie this little below the champion's, at the interval's lower end."""
    list_length: PositiveInt = 20
    list_rules: ListRulesByPurpose = ListRulesByPurpose()
    shards: PositiveInt = 16
    blocked_items: list[str] = []
    """Never recommended."""
    rest_days_after_sending: PurposeDays = PurposeDays(discovery=14)
    """Days for which an item that stood in a message to a customer is not listed for them."""
    rest_days_after_listing: PurposeDays = PurposeDays()
    """Days for which an item that stood among the first ``rested_ranks`` of a list is not listed again."""
    rested_ranks: PositiveInt = 10


Days = Annotated[int, Field(ge=1, le=3660)]


class TriggerSettings(_Section):
    """When an occasion in a customer's life calls for a message; all as of the end of the business date.

    Days are business days, the date itself included.
    """

    welcome_days: Days = 7
    """welcome: created, or where that is not known first seen, in the last so many days."""
    abandoned_cart_hours: Annotated[int, Field(ge=2, le=24 * 366)] = 48
    abandoned_cart_rest_hours: PositiveInt = 1
    """abandoned_cart: an item put into the cart in the last so many hours, at least ``rest`` hours ago, and not bought
    since."""
    lapsed_days: Days = 7
    """lapsed: the lifecycle stage became lapsed in the last so many days."""
    interest_days: Days = 30
    """back_in_stock and price_drop: of items viewed or put into the cart in the last so many days."""
    item_days: Days = 3
    """back_in_stock and price_drop: came back, or fell, in the last so many days; that long a message may wait."""
    price_drop_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """price_drop: the list price fell by at least this share of it."""
    replenishment_of: Literal["item", "category"] = "item"
    replenishment_purchases: Annotated[int, Field(ge=2)] = 3
    replenishment_history_days: Days = 180
    """replenishment_due: of an item or category bought on at least so many of the last so many days."""
    replenishment_days: Days = 3
    """replenishment_due: the customer's own mean interval since the last purchase ran out in the last so many days."""

    @model_validator(mode="after")
    def _carts_come_to_rest(self) -> Self:
        if self.abandoned_cart_rest_hours >= self.abandoned_cart_hours:
            raise ValueError("abandoned_cart_rest_hours must be below abandoned_cart_hours")
        return self


class WarmUpSettings(_Section):
    """How many messages a day a new sender may begin with: providers and mailboxes trust a sender by and by."""

    starts_on: date
    """The first send date of the ramp; before it the channel sends nothing."""
    first_day: PositiveInt
    growth: Annotated[float, Field(gt=1)] = 1.5
    """Each day so many times the messages of the day before, rounded down."""


class ChannelSettings(_Section):
    """What one channel may carry; none: no limit of its own."""

    messages_per_day: PositiveInt | None = None
    messages_per_week: PositiveInt | None = None
    messages_per_calendar_week: PositiveInt | None = None
    """Caps of one customer on this channel, each as the one of the same name over all channels."""
    hourly_capacity: PositiveInt | None = None
    """Messages per hour of UTC."""
    daily_capacity: PositiveInt | None = None
    """Messages of one send date."""
    warm_up: WarmUpSettings | None = None

    def most_on(self, send_date: date) -> int | None:
        """Messages of ``send_date`` that capacity and warm-up allow; None: no limit."""
        limits = [] if self.daily_capacity is None else [self.daily_capacity]
        if self.warm_up is not None:
            limits += self._ramp(self.warm_up, send_date)
        return min(limits, default=None)

    @staticmethod
    def _ramp(warm_up: WarmUpSettings, send_date: date) -> list[int]:
        day = (send_date - warm_up.starts_on).days
        if day < 0:
            return [0]
        # A ramp of so many doublings bounds nothing any more.
        doublings = day * math.log2(warm_up.growth)
        return [] if doublings > 40 else [int(warm_up.first_day * warm_up.growth**day)]


class ChannelsSettings(_Section):
    """The limits of each channel."""

    email: ChannelSettings = ChannelSettings()
    app_push: ChannelSettings = ChannelSettings()

    def of(self, channel: str) -> ChannelSettings:
        """Raises AttributeError for a channel that is none of CHANNELS."""
        limits: ChannelSettings = getattr(self, channel)
        return limits


class SchedulingSettings(_Section):
    """Who may be messaged, how often and at which hours."""

    quiet_from: time = time(21, 0)
    quiet_until: time = time(8, 0)
    """Quiet hours in the customer's own zone: [quiet_from, quiet_until), past midnight when from > until."""
    earliest_send_time: time = time(4, 0)
    """Of the send date, on the business's own clock: no message is planned for an hour before. The night, which begins
    at 02:00, must be over by then: hours that pass meanwhile would leave together, when delivery finds them."""
    messages_per_day: PositiveInt = 1
    messages_per_week: PositiveInt = 3
    """Caps over all channels: per calendar day in the customer's zone, and in any 7 days, to the second."""
    messages_per_calendar_week: PositiveInt | None = None
    """A budget of messages from Monday to Sunday in the customer's zone; none: no limit."""
    hourly_capacity: PositiveInt | None = None
    """Messages per hour of UTC over all channels; none: no limit."""
    channels: ChannelsSettings = ChannelsSettings()
    holdout_share: Share = 0.05
    """Change it together with the salt: within one term it would mix customers who were messaged with others."""
    holdout_salt: str = "holdout-1"
    """A new salt begins a new holdout term with the next new night; one whose term is over cannot be taken again."""
    default_control_share: Share = 0.1
    exploration: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """ε: this share of the choice is uniform over the feasible channels and hours."""
    random_hour_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """This share of messages goes at an hour drawn evenly: what the choice of hour gains is measured by it."""
    boldness: Annotated[float, Field(ge=0, le=1)] = 0.1
    """How far a draw of a customer's hours may lie from what is expected: 1 is Thompson sampling, which explores most,
    0 the best hour as far as is known."""
    half_life_days: Annotated[float, Field(gt=0)] = 75.0
    """Of everything that is learned of responses to messages."""
    lost_address_days: PositiveInt = 180
    """For how long an address lost to an unsubscribe or complaint is missed: the margin of the messages that it would
    have got is the price of fatigue, at most the customer's ``expected_value`` × margin rate."""
    content_exploration: Annotated[float, Field(ge=0, le=5)] = 0.2
    """How freely items change places in a message: of two, the one of rank r comes before that of rank s with odds
    (s/r)^(1/this), so at 0.2 the first before the second 32 : 1 and the third before the fourth 4 : 1. 0: as listed."""
    shown_penalty: Annotated[float, Field(ge=0, le=10)] = 1.0
    """An item just shown to the customer counts as if its rank were e^this times as far down; 0: no penalty."""
    shown_half_life_days: Annotated[float, Field(gt=0)] = 7.0
    """Days after which half of that penalty is left."""
    seed: int = 7
    expires_after_hours: PositiveInt = 6
    """A message not sent this long after its hour is never sent."""
    approval_hours: Annotated[float, Field(gt=0, le=20)] = 12.0
    """How long a campaign that requires approval waits for an answer; without one nothing of it is sent that day. At
    most 20, so that the question of one night is closed before the next is asked."""
    triggers: TriggerSettings = TriggerSettings()

    @model_validator(mode="after")
    def _capacities_can_be_kept_together(self) -> SchedulingSettings:
        if self.hourly_capacity is not None:
            for channel in CHANNELS:
                limits = self.channels.of(channel)
                if limits.daily_capacity is not None or limits.warm_up is not None:
                    raise ValueError(
                        "hourly_capacity over all channels cannot be kept exactly together with a channel's "
                        f"daily_capacity or warm_up (channels.{channel}): give each channel an hourly_capacity of "
                        "its own instead"
                    )
        return self


class DeliverySettings(_Section):
    """Where messages leave the house."""

    sender: str = "Lamplighter <marketing@localhost>"
    smtp_host: str = "localhost"
    smtp_port: PositiveInt = 1025
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    push_url: str = "http://localhost:1026/push"
    push_token: SecretStr | None = None
    """Bearer token of the push gateway."""
    shop_url: str = "http://localhost/shop"
    """Links without a URL of their own lead here."""
    unsubscribe_email: str = "unsubscribe@localhost"
    postal_address: str = ""
    batch_size: PositiveInt = 200
    timeout_seconds: PositiveInt = 20
    maximum_attempts: PositiveInt = 3
    soft_bounces_before_suppression: PositiveInt = 3


class ReportingSettings(_Section):
    """When a figure may be shown as a verdict."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    minimum_customers_per_arm: PositiveInt = 100
    minimum_conversions_per_arm: PositiveInt = 20
    attribution_days_email: PositiveInt = 5
    attribution_hours_push: PositiveInt = 24
    default_margin_rate: Share = 0.3
    """Margin of an item whose own margin_rate is unknown."""


class Settings(BaseSettings):
    """All settings. Read once per process with ``load_settings()``."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        # An empty variable, as an unfilled line of .env gives, is one that is not set.
        env_ignore_empty=True,
        # An input may be a password, and errors go to terminals and task logs.
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = None
    """SQLAlchemy URL of the marketing database; unset, the make commands start an embedded server."""
    landing: str = str(STATE_DIRECTORY / "landing")
    artifacts: str = str(STATE_DIRECTORY / "artifacts")
    business_time_zone: TimeZoneName = "UTC"
    default_customer_time_zone: TimeZoneName | None = None
    """Zone of a customer whose own is unknown; unset, the business's."""
    currency: str = "USD"
    sources: Annotated[tuple[SourceSettings, ...], AfterValidator(_named_once)] = ()
    quality: QualitySettings = QualitySettings()
    features: FeatureSettings = FeatureSettings()
    recommender: RecommenderSettings = RecommenderSettings()
    scheduling: SchedulingSettings = SchedulingSettings()
    delivery: DeliverySettings = DeliverySettings()
    reporting: ReportingSettings = ReportingSettings()

    @property
    def customer_time_zone(self) -> str:
        return self.default_customer_time_zone or self.business_time_zone

    def data_docs_page(self, business_date: date) -> str:
        """URL of the data quality report of a night: written by the gate, shown beside the Marketing page."""
        return f"{self.artifacts.rstrip('/')}/data_docs/{business_date.isoformat()}.html"

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_variables(cls, values: Any) -> Any:
        """pydantic-settings passes over a misspelt variable; a setting that does nothing is worse than an error."""
        known = {name.upper() for name in cls.model_fields} | {SETTINGS_FILE_VARIABLE.removeprefix(ENVIRONMENT_PREFIX)}
        for variable in os.environ:
            if variable.startswith(ENVIRONMENT_PREFIX):
                field = variable.removeprefix(ENVIRONMENT_PREFIX).split("__")[0].upper()
                if field not in known:
                    raise ValueError(f"unknown setting {variable}; known: {', '.join(sorted(known))}")
        return values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        path = os.environ.get(SETTINGS_FILE_VARIABLE)
        if path:
            if not Path(path).is_file():
                raise FileNotFoundError(f"{SETTINGS_FILE_VARIABLE} names {path}, which is not a file")
            sources.append(YamlConfigSettingsSource(settings_cls, yaml_file=path))
        return tuple(sources)


def load_settings() -> Settings:
    """Settings of this process, from the file and the environment; raises pydantic's ValidationError naming the key."""
    return Settings()
