-- Grain: every row of the latest date of a customer who gets the model's lists, unless it is the model's own.
delete from marketing.recommendations as lists
using restored_customers
where
    lists.business_date = :latest
    and lists.model_id <> :model_id
    and lists.customer_id = restored_customers.customer_id
