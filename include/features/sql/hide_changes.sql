-- Views, unlike the staging tables, would outlive the transaction.
drop view interaction_changes, activity_changes, habit_changes, price_changes;
