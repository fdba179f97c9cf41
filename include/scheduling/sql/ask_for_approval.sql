-- One campaign of one night, waiting; its preview is renewed as long as nobody has answered.
insert into marketing.campaign_approvals as a (business_date, campaign_id, status, preview)
values (:business_date, :campaign_id, 'waiting', cast(:preview as jsonb))
on conflict (business_date, campaign_id) do update set preview = excluded.preview
where a.status = 'waiting'
