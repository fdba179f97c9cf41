-- One row per judged event that repeats another (see repeated_events.sql), and per event that no night has set aside yet
-- though it does: what it repeats has come in under an earlier folder.
select
    'events' as table_name,
    'duplicate' as rule,
    'event_id' as column_name,
    repeated_events.event_id as row_key,
    repeated_events.file_id,
    repeated_events.row_number,
    'repeats an earlier row under another event_id' as reason,
    true as is_set_aside
from repeated_events
where repeated_events.is_judged
    or not exists (
        select
        from marketing.quality_failures as former
        where former.table_name = 'events'
            and former.rule = 'duplicate'
            and former.is_set_aside
            and former.row_key = repeated_events.event_id
            and former.file_id = repeated_events.file_id
            and former.row_number = repeated_events.row_number
    )
