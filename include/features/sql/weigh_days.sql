-- Grain: business day × event type. Forward decay: 2^((day - landmark) / half-life), so that a weight, once added, stays.
-- Weights are decimals: their sums are exact in any order, so what comes and is taken away again leaves nothing.
-- Below 2^-1000 the power would leave the range of a double, which is an error.
-- Every event is activity, so days of activity are all days.
insert into day_weights (business_day, type_no, weight, decay)
select
    days.business_day,
    types.type_no,
    round(cast(types.weight * power(2, greatest(
        (days.business_day - cast(:landmark as date)) / types.half_life, -1000
    )) as numeric), 24),
    round(cast(power(2, greatest(
        (days.business_day - cast(:landmark as date)) / cast(:half_life_days as double precision), -1000
    )) as numeric), 24)
from (select distinct business_day from activity_changes) as days
cross join
    unnest(cast(:event_weights as double precision[]), cast(:event_half_lives as double precision[]))
    with ordinality as types (weight, half_life, type_no);
