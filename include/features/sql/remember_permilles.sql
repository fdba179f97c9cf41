-- Grain: item, with its place of price before this build.
insert into former_permilles select item_no, price_permille from marketing.item_totals;
