"""Scheduling: who gets which message, on which channel, at which hour, and who gets none."""

from include.scheduling.plan import ScheduleSummary, schedule_messages
from include.scheduling.send_times import SendTimeSummary, learn_send_times

__all__ = ["ScheduleSummary", "SendTimeSummary", "learn_send_times", "schedule_messages"]
