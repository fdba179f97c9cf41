"""Keep a customer's rates of a day type in one row: at a million customers 96 rows each take too long and too much."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SCHEMA = "marketing"
RATES = ("rate_mean", "rate_low", "rate_high")

PROFILES = """
create view marketing.send_time_profiles as
select
    c.customer_id,
    c.channel,
    c.day_type,
    cast(place - 1 as smallint) as hour,
    c.business_date,
    c.rate_mean[place] as rate_mean,
    c.rate_low[place] as rate_low,
    c.rate_high[place] as rate_high
from marketing.send_time_curves as c
cross join generate_series(1, 24) as place
"""


def upgrade() -> None:
    op.drop_table("send_time_profiles", schema=SCHEMA)
    op.create_table(
        "send_time_curves",
        sa.Column("customer_id", sa.Text(), primary_key=True),
        sa.Column("channel", sa.Text(), primary_key=True),
        sa.Column("day_type", sa.Text(), primary_key=True, comment="weekday or weekend"),
        sa.Column("business_date", sa.Date(), nullable=False),
        *(
            sa.Column(name, ARRAY(sa.REAL()), nullable=False, comment="by hour 0 to 23 in the customer's zone")
            for name in RATES
        ),
        schema=SCHEMA,
    )
    op.execute(PROFILES)


def downgrade() -> None:
    op.execute("drop view marketing.send_time_profiles")
    op.drop_table("send_time_curves", schema=SCHEMA)
    op.create_table(
        "send_time_profiles",
        sa.Column("customer_id", sa.Text(), primary_key=True),
        sa.Column("channel", sa.Text(), primary_key=True),
        sa.Column("day_type", sa.Text(), primary_key=True, comment="weekday or weekend"),
        sa.Column("hour", sa.SmallInteger(), primary_key=True, comment="0 to 23 in the customer's zone"),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False, comment="posterior Beta(alpha, beta) of the click rate"),
        sa.Column("beta", sa.Double(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in RATES),
        schema=SCHEMA,
    )
