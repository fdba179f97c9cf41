-- The events that an earlier night set aside as repeats, and that repeat nothing now: what they repeated was corrected, or
-- is gone. They count again.
update marketing.quality_failures as former
set is_set_aside = false
where former.table_name = 'events'
    and former.rule = 'duplicate'
    and former.is_set_aside
    and not exists (select from repeated_events where repeated_events.event_id = former.row_key)
