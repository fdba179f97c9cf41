"""Delivery: planned messages leave the house, each at most once, and what came back is read.

``deliver_due_messages`` claims, renders and sends; ``process_engagements`` turns opens, clicks, bounces, complaints and
unsubscribes into marked engagements and suppressions.
"""

from include.delivery.deliver import DeliverySummary, deliver_due_messages
from include.delivery.engagements import EngagementSummary, process_engagements

__all__ = ["DeliverySummary", "EngagementSummary", "deliver_due_messages", "process_engagements"]
