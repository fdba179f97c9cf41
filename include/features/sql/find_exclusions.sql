-- Grain: one row per event that the quality gate sets aside now.
insert into present_exclusions (event_id, utc_day)
select events.event_id, cast(events.occurred_at at time zone 'UTC' as date)
from marketing.excluded_events
inner join marketing.events on events.event_id = excluded_events.event_id;
