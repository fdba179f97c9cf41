-- One row per channel × customer × messages in the seven days before, of customers with a human click within 24 hours of
-- a matured send: matured sends, and those clicked. Of very many customers those whose hashes come first.
with matured as (
    select
        s.channel,
        s.customer_id,
        s.recent,
        exists (
            select from response_reactions as r
            where
                r.send_no = s.send_no
                and r.engagement_type = 'click'
                and r.occurred_at < s.sent_at + interval '24 hours'
        ) as is_clicked
    from response_sends as s
    where s.sent_at < cast(:end_of_day as timestamptz) - interval '24 hours'
),

clickers as (
    select
        channel,
        customer_id,
        row_number() over (partition by channel order by md5(customer_id), customer_id) as place
    from matured
    group by channel, customer_id
    having bool_or(is_clicked)
)

select
    m.channel,
    c.place,
    m.recent,
    count(*) as sends,
    count(*) filter (where m.is_clicked) as clicked
from matured as m
inner join clickers as c using (channel, customer_id)
where c.place <= :most_clickers
group by m.channel, c.place, m.recent
order by m.channel, c.place, m.recent
