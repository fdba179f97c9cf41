-- Grain: the one row that says up to where the daily tables and the totals count.
insert into marketing.feature_state (
    is_only, business_date, landmark, half_life_days, newest_file_id, daily_fingerprint, totals_fingerprint
)
values (
    true, :business_date, :landmark, :half_life_days, :newest_file_id, :daily_fingerprint, :totals_fingerprint
)
on conflict (is_only) do update set
    business_date = excluded.business_date,
    landmark = excluded.landmark,
    half_life_days = excluded.half_life_days,
    newest_file_id = excluded.newest_file_id,
    daily_fingerprint = excluded.daily_fingerprint,
    totals_fingerprint = excluded.totals_fingerprint;
