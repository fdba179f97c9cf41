-- With no state, the view interactions shows nothing that a reader could miss.
truncate marketing.interaction_totals;
