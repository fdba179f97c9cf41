"""A batch of texts as typed rows in the bytes of COPY's binary format, and the rows left for the SQL rules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow
import pyarrow.compute
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import StringEncoderBuilder
from pgpq.schema import Jsonb

from include.landing.batches import ROW_NUMBER, Batch
from include.landing.certain import Mask, fits_json, is_present
from include.landing.rules import Field, Rules
from include.landing.staging import Places


@dataclass(frozen=True)
class SplitBatch:
    """A batch, its certain rows apart."""

    binary: tuple[bytes, ...]
    """The certain rows between COPY's header and end; empty when there are none."""
    certain_rows: int
    rest: Batch
    """The other rows, and those that cannot be read at all."""


class Splitter:
    """Tells the certain rows of one file's batches, and encodes them."""

    def __init__(self, rules: Rules, places: Places, file_id: int) -> None:
        self._rules = rules
        self._file_id = file_id
        self._extras = places.extras
        self._fields = [rules.field(name) for name in places.given if name != rules.object_column]
        self._has_object = rules.object_column in places.given
        self._possible = rules.certain_possible

    @property
    def columns(self) -> list[str]:
        """Of the table that the certain rows are copied to, in the order of their bytes."""
        objects = [self._rules.object_column] if self._extras else []
        return [*(field.name for field in self._fields), *objects, "file_id", ROW_NUMBER]

    def split(self, batch: Batch) -> SplitBatch:
        rows = batch.rows
        if not self._possible or not rows.num_rows:
            return SplitBatch((), 0, batch)
        certain = _filled(reduce(pyarrow.compute.and_, self._masks(rows)))
        chosen = _where(certain, rows)
        if not chosen.num_rows:
            return SplitBatch((), 0, batch)
        typed = self._typed(chosen)
        if self._rules.certain_together is not None:
            # Rules over several columns need values, which only certain texts have.
            typed = _where(_filled(self._rules.certain_together(typed)), typed)
        if typed.num_rows < chosen.num_rows:
            certain = pyarrow.compute.is_in(rows.column(ROW_NUMBER), value_set=typed.column(ROW_NUMBER))
        rest = _where(pyarrow.compute.invert(certain), rows)
        return SplitBatch(self._encoded(typed), typed.num_rows, Batch(rest, batch.unreadable))

    def _masks(self, rows: pyarrow.Table) -> list[Mask]:
        masks = [mask for field in self._fields for mask in _field_masks(field, rows.column(field.name))]
        for _, name, is_json in self._extras:
            column = rows.column(name)
            if column.null_count < len(column):
                masks.append(_or_null(fits_json(column, is_json), column))
        if self._has_object:
            masks.append(pyarrow.compute.is_null(rows.column(self._rules.object_column)))
        return masks

    def _typed(self, rows: pyarrow.Table) -> pyarrow.Table:
        columns = {field.name: rows.column(field.name).cast(field.kind.certain.type) for field in self._fields}
        if self._extras:
            columns[self._rules.object_column] = self._objects(rows)
        columns["file_id"] = pyarrow.repeat(pyarrow.scalar(self._file_id, pyarrow.int64()), rows.num_rows)
        columns[ROW_NUMBER] = rows.column(ROW_NUMBER)
        return pyarrow.table(columns)

    def _objects(self, rows: pyarrow.Table) -> Any:
        """A JSON object per row, of the columns without a place; those without a value are left out."""
        pieces = []
        for _, name, is_json in self._extras:
            quote = "" if is_json else '"'
            label = "," + json.dumps(name, ensure_ascii=False) + ":" + quote
            piece = pyarrow.compute.binary_join_element_wise(label, rows.column(name), quote, "")
            pieces.append(pyarrow.compute.fill_null(piece, ""))
        joined = pyarrow.compute.binary_join_element_wise(*pieces, "") if len(pieces) > 1 else pieces[0]
        return pyarrow.compute.binary_join_element_wise(
            "{", pyarrow.compute.binary_replace_slice(joined, 0, 1, ""), "}", ""
        )

    def _encoded(self, typed: pyarrow.Table) -> tuple[bytes, ...]:
        if not typed.num_rows:
            return ()
        (batch,) = typed.combine_chunks().to_batches()
        schema = batch.schema
        encoders = {name: ArrowToPostgresBinaryEncoder.infer_encoder(schema.field(name)) for name in schema.names}
        if self._extras:
            name = self._rules.object_column
            encoders[name] = StringEncoderBuilder.new_with_output(schema.field(name), Jsonb())
        encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(schema, encoders)
        # The encoder may keep a small batch to itself until the end.
        return tuple(part for part in (encoder.write_header(), encoder.write_batch(batch), encoder.finish()) if part)


def _field_masks(field: Field, column: pyarrow.ChunkedArray) -> list[Mask]:
    certain = field.kind.certain
    masks = [is_present(column)] if field.required else []
    if certain.holds is not None and column.null_count < len(column):
        holds = certain.holds(column)
        masks.append(holds if field.required else _or_null(holds, column))
    return masks


def _or_null(holds: Mask, column: pyarrow.ChunkedArray) -> Mask:
    return pyarrow.compute.or_kleene(holds, pyarrow.compute.is_null(column))


def _filled(mask: Mask) -> Mask:
    return pyarrow.compute.fill_null(mask, fill_value=False)


def _where(mask: Mask, rows: pyarrow.Table) -> pyarrow.Table:
    """The rows for which ``mask`` holds; without a copy when it holds for all."""
    return rows if pyarrow.compute.all(mask).as_py() else rows.filter(mask)
