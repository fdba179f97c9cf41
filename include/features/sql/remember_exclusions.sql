-- Grain: one row per event that counted_events leaves out from now on.
insert into marketing.feature_exclusions (event_id, utc_day)
select event_id, utc_day from present_exclusions;
