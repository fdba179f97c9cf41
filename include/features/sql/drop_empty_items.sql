-- Grain: items of which no event is left.
delete from marketing.item_totals where event_days = 0;
