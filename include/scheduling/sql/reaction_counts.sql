-- One row per channel × messages in the seven days before × age in days of matured sends: sends, those lost (either of
-- the two reactions within :reaction_days), those of each, and those clicked within 24 hours.
with matured as (
    select
        s.send_no,
        s.channel,
        s.recent,
        s.sent_at,
        cast(extract(epoch from cast(:end_of_day as timestamptz) - s.sent_at) as bigint) / 86400 as age_days
    from response_sends as s
    where s.sent_at < cast(:end_of_day as timestamptz) - make_interval(days => :reaction_days)
),

answered as (
    select
        m.send_no,
        bool_or(r.engagement_type = 'unsubscribe') as is_unsubscribed,
        bool_or(r.engagement_type = 'complaint') as is_complained,
        bool_or(r.engagement_type = 'click' and r.occurred_at < m.sent_at + interval '24 hours') as is_clicked
    from matured as m
    inner join response_reactions as r using (send_no)
    where r.occurred_at < m.sent_at + make_interval(days => :reaction_days)
    group by m.send_no
)

select
    m.channel,
    m.recent,
    m.age_days,
    count(*) as sends,
    count(*) filter (where a.is_unsubscribed or a.is_complained) as lost,
    count(*) filter (where a.is_unsubscribed) as unsubscribed,
    count(*) filter (where a.is_complained) as complained,
    count(*) filter (where a.is_clicked) as clicked
from matured as m
left join answered as a using (send_no)
group by m.channel, m.recent, m.age_days
order by m.channel, m.recent, m.age_days
