-- Deleted, not truncated: readers of the view interactions see the former totals until the build commits.
delete from marketing.interaction_totals;
