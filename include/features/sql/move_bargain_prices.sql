-- Grain: item whose bargain price changes.
update marketing.item_totals as totals
set bargain_price = moves.present
from bargain_moves as moves
where totals.item_no = moves.item_no;
