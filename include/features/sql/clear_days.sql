-- Nobody but the build, which holds a lock, reads these.
truncate marketing.daily_interactions, marketing.daily_activity, marketing.daily_habits, marketing.daily_prices;
