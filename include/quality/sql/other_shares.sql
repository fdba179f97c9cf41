-- One row per fact: how many customers, and items, are not as they should be, and of how many.
with people as (
    select
        count(*) as customers,
        count(customers.email) as emails,
        count(customers.time_zone) as zones
    from marketing.customers
),

reached as (
    select
        (select count(*) from (select distinct customer_id from marketing.addresses) as reachable) as customers,
        coalesce(sum(owners.customers), 0) as emails,
        coalesce(sum(owners.customers) filter (where owners.customers > 1), 0) as sharing
    from (
        select count(*) as customers
        from marketing.addresses
        where channel = 'email'
        group by lower(address)
    ) as owners
),

goods as (
    select
        count(*) as items,
        count(*) filter (where items.price > 0 and items.price <= cast(:largest_amount as numeric) or items.price = 0) as fair,
        count(items.price) as prices,
        count(items.margin_rate) as margins,
        count(*) filter (where items.margin_rate not between 0 and 1) as odd_margins
    from marketing.items
),

failing as (
    select
        table_name || '.' || rule as name,
        count(*) as rows
    from marketing.quality_failures
    where business_date = cast(:business_date as date) and table_name in ('customers', 'items')
    group by 1
)

select
    facts.table_name,
    facts.name,
    coalesce(facts.unexpected, 0) as unexpected,
    facts.rows
from people
cross join reached
cross join goods
cross join lateral (
    values
    ('customers', 'email', (select rows from failing where name = 'customers.bad_email'), people.emails),
    ('customers', 'time_zone', (select rows from failing where name = 'customers.unknown_zone'), people.zones),
    ('customers', 'shared_email', reached.sharing, reached.emails),
    ('customers', 'is_reachable', people.customers - reached.customers, people.customers),
    ('items', 'title', (select rows from failing where name = 'items.missing_title'), goods.items),
    ('items', 'category', (select rows from failing where name = 'items.missing_category'), goods.items),
    ('items', 'price', goods.prices - goods.fair, goods.prices),
    ('items', 'margin_rate', goods.odd_margins, goods.margins)
) as facts (table_name, name, unexpected, rows)
union all
select 'customers', 'rows', 0, customers from people
union all
select 'items', 'rows', 0, items from goods
