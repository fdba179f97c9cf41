-- Grain: customer with a change of priced purchase days of an item, or of the bargain price of one among them: the days
-- that come and go at the former bargain price, and those that stay at the difference of the present to the former one.
with differences as (
    select
        changes.customer_no,
        changes.window_sign * coalesce(cast(changes.unit_price <= totals.bargain_price as integer), 0) as bargains,
        -- Here and not as a condition, which the planner, before the figures are known, may take for a rare one.
        changes.window_sign * cast(totals.bargain_price is not null as integer) as comparable
    from interaction_changes as changes
    inner join marketing.item_totals as totals using (item_no)
    where changes.window_sign <> 0 and changes.unit_price is not null
    union all
    select
        daily.customer_no,
        coalesce(cast(daily.unit_price <= moves.present as integer), 0)
        - coalesce(cast(daily.unit_price <= moves.former as integer), 0),
        cast(moves.present is not null as integer) - cast(moves.former is not null as integer)
    from bargain_moves as moves
    inner join marketing.daily_interactions as daily
        on
            moves.item_no = daily.item_no
            -- Between two levels alone; without a former or present one, at any price.
            and daily.unit_price > case
                when moves.former is null or moves.present is null then '-infinity'
                else least(moves.former, moves.present)
            end
            and daily.unit_price <= case
                when moves.former is null or moves.present is null then 'infinity'
                else greatest(moves.former, moves.present)
            end
    where
        daily.business_day > cast(:window_start as date)
        and daily.business_day <= cast(:business_date as date)
)

update marketing.customer_totals as totals
set
    bargain_days = totals.bargain_days + sums.bargains,
    comparable_days = totals.comparable_days + sums.comparable
from (
    select customer_no, sum(bargains) as bargains, sum(comparable) as comparable
    from differences
    group by customer_no
) as sums
where totals.customer_no = sums.customer_no;
