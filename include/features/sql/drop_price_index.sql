-- Many times faster made once over all days than kept up row by row while they come in.
drop index if exists marketing.daily_interactions_item_no_unit_price_idx;
