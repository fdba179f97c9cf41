-- Grain: prices at which nothing was bought any more.
delete from marketing.item_prices where item_no in (select item_no from price_changes) and lines = 0;
