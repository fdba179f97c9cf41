-- The messages of the night that a new plan replaces.
delete from marketing.messages as m
using pg_temp.replaced_messages as r
where m.message_id = r.message_id
