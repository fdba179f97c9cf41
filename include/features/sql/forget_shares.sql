-- Grain: customer whose shares are computed anew.
delete from marketing.customer_shares where customer_no in (select customer_no from touched_customers);
