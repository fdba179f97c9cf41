-- One row per campaign that has results on the date: its treated arm over all channels, beside its return. Running ones first.
select
    results.campaign_id,
    coalesce(campaigns.name, results.campaign_id) as name,
    coalesce(campaigns.ends_on >= results.business_date, true) as running,
    results.assigned,
    results.sent,
    results.clicked,
    results.unsubscribed,
    results.click_rate,
    results.click_rate_low,
    results.click_rate_high,
    roi.roi,
    roi.roi_low,
    roi.roi_high,
    roi.incremental_margin,
    roi.cost,
    roi.verdict,
    results.includes_generated or coalesce(roi.includes_generated, false) as includes_generated
from marketing.campaign_results as results
left join marketing.campaigns using (campaign_id)
left join marketing.campaign_roi as roi using (business_date, campaign_id)
where results.business_date = :business_date and results.channel = 'all' and results.arm = 'treated'
order by running desc, results.sent desc, results.campaign_id
