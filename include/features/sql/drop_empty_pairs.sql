-- Grain: pairs of which no event is left.
delete from marketing.interaction_totals as totals
using pair_changes
where
    totals.customer_no = pair_changes.customer_no
    and totals.item_no = pair_changes.item_no
    and pair_changes.event_days < 0
    and totals.event_days = 0;
