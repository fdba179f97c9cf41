"""The rates of the made-up world, each with its source; nothing else in this room writes a rate down.

Two kinds. *Published*: a retailer's 708 million messages, of which open, click, purchase, unsubscribe, bounce and
complaint rates and the median and mean of the click's delay are known, and that half of all opens come within seconds
of delivery (machines). *Assumed*: no source is known to us, so the value is only a plausible one; worlds differ in them
by their settings where an experiment needs it.

All message rates are those of a message with middling items (fit ½), at a random hour of 8 to 20, to a customer who
gets three messages a week.
"""

from __future__ import annotations

# --- answers to messages: published ------------------------------------------------------------------------------

CLICK_RATE = 0.0110
OPEN_RATE_PEOPLE = 0.093
OPEN_RATE_MACHINES = 0.093
"""18.6% in all, half of them machines'. By email alone."""
ORDERS_PER_CLICK = 0.027
"""Bought because of the message, of those who clicked: 0.03% of messages bought, 1.10% clicked."""
UNSUBSCRIBE_RATE = 0.0022
HARD_BOUNCE_RATE = 0.0070
SOFT_BOUNCE_RATE = 0.0023
COMPLAINT_RATE = 0.0002
CLICK_DELAY_HOURS, CLICK_DELAY_SIGMA = 2.1, 2.27
"""Median and spread of a lognormal delay that is cut at LONGEST_DELAY_DAYS: so cut, its mean is 23 hours."""

# --- answers to messages: the world of the bars for the choice of hour -------------------------------------------

PEAK_GROUPS = ((8.0, 0.30), (12.5, 0.25), (19.5, 0.45))
"""Mean peak hour, and share of customers."""
PEAK_SPREAD_HOURS = 2.0
ANYWHERE_SHARE, ANYWHERE_HOURS = 0.15, (7.0, 22.0)
"""So many customers have a peak anywhere between these hours instead."""
BASE_RATE_SIGMA = 0.7
"""Base click rates are lognormal, customer by customer."""
BASE_RATE_BOUNDS = (0.0002, 0.5)
LARGEST_CLICK_RATE = 0.9
HOUR_CONCENTRATION, HOUR_HEIGHT, HOUR_CENTRE = 3.0, 2.0, 0.35
"""Log odds of a click at hour h: + A · |Normal(1, .4)| · 2 · (exp(3 (cos(2π(h − peak)/24) − 1)) − .35)."""
AMPLITUDE_SPREAD = 0.4
STRENGTHS = {"none": 0.0, "mild": 0.4, "strong": 1.0}
"""A, by the strength of personal hours."""

# --- answers to messages: assumed --------------------------------------------------------------------------------

PUSH_PEAK_SPREAD_HOURS = 1.5
"""How far a customer's peak on app push lies from the one by email."""
WEEKEND_LATER_HOURS, WEEKEND_SPREAD_HOURS = 1.5, 1.0
PUSH_CLICK_FACTOR = 1.3
FIT_EFFECT = 1.5
"""Log odds of a click between a message whose items all suit and one whose items do not at all."""
USUAL_LOAD = 2.0
"""Messages a customer has in mind who gets three a week, each half forgotten in FATIGUE_HALF_LIFE_DAYS."""
FATIGUE_HALF_LIFE_DAYS = 3.5
FATIGUE_DAYS = 21
"""Older messages are forgotten whole."""
FATIGUE_SPREAD = 0.5
"""Of the lognormal by which customers differ."""
UNSUBSCRIBES_PER_FATIGUE = 3.0
"""Fatigue raises the log odds of unsubscribing and complaining this many times as much as it lowers a click's."""
PREFETCHED_SHARE = 0.15
"""Customers whose mail program fetches images as a mail comes in, so often that OPEN_RATE_MACHINES is kept."""
SCANNED_SHARE, SCANS_PER_MESSAGE = 0.02, 0.5
"""Customers behind a gateway that follows every link of so many of their mails."""
SECOND_CLICK_RATE = 0.10
"""Of those who clicked."""
ORDER_DELAY_HOURS, ORDER_DELAY_SIGMA = 3.0, 1.0
"""From the click to the order it led to."""
LONGEST_DELAY_DAYS = 60
SHORTEST_DELAY_SECONDS = 40
"""No person is faster; machines are."""
LATE_SCAN_SHARE = 0.2
"""Of scans, which come only a minute or so after delivery."""

# --- what customers do by themselves: assumed --------------------------------------------------------------------

VIEWS_AFTER_FIRST = 3.0
"""Mean of a visit."""
SEARCH_SHARE, CLICK_SHARE, CART_SHARE, ORDER_SHARE = 0.30, 0.60, 0.15, 0.45
"""Visits with a search; searches followed by a click; visits that fill a cart; carts that are bought."""
RETURN_RATE = 0.03
RETURN_DAYS = (4, 8, 13)
"""After the purchase; each customer's own."""
WEEKEND_VISITS = 1.2
"""Times as many visits as on a weekday."""
VISIT_SPREAD = 1.0
"""Of the lognormal by which customers' visits differ."""
INTERVAL_DAYS, INTERVAL_SIGMA = 21.0, 0.6
"""Median and spread of the days between purchases of what a customer buys regularly."""
STAPLE_BOUGHT_HERE = 0.8
"""Of the times it is due."""
TASTE_POWER = 6.0
"""A category's share of a customer's taste is in proportion to u^TASTE_POWER, u uniform: most like a few."""
RANK_POWER = 2.5
"""An item's place in its category, in the eyes of the customer's kind, is n · u^RANK_POWER: near the top, mostly."""
PRICE_MEDIAN, PRICE_SIGMA, ITEM_PRICE_SIGMA = 12.0, 0.8, 0.4
"""Of categories, and of items within one."""
OUT_OF_STOCK_SHARE, PROMOTION_SHARE, PROMOTION_OFF = 0.02, 0.05, 0.2
"""Items, week by week."""
EMAIL_SHARE, EMAIL_CONSENT, PUSH_SHARE, PUSH_CONSENT = 0.98, 0.85, 0.45, 0.90
"""Customers with an address; of these with consent; the same for a push token."""
WITHDRAWN_PER_DAY = 0.0001
"""Consents taken back without a message as ground."""
UNKNOWN_ZONE_SHARE = 0.02
"""Customers whose time zone the shop does not know."""
