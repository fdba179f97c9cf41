-- Nobody but the build, which holds a lock, reads these.
truncate
marketing.item_totals,
marketing.item_prices,
marketing.customer_totals,
marketing.customer_hours,
marketing.customer_tastes,
marketing.customer_shares;
