"""The prediction log: what a service writes of each answer, and the labels that arrive later."""

from __future__ import annotations

import pyarrow as pa

# A folder of Parquet files of this schema, one row a scored candidate. Files may be added at any time, each
# written under a name that starts with a dot and then renamed: such names are passed over.
SCHEMA = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),  # of the answer, whose candidates share it
        pa.field("time", pa.int64(), nullable=False),  # of the request, ms since 1970 UTC
        pa.field("model_version", pa.string(), nullable=False),  # that scored
        pa.field("user_id", pa.string()),  # as asked for, as text; null if the request named none
        pa.field("item_id", pa.string(), nullable=False),  # as asked for, as text
        pa.field("position", pa.int32(), nullable=False),  # among the request's candidates, from 0
        pa.field("score", pa.float32(), nullable=False),  # predicted click probability
        pa.field("history_length", pa.int32(), nullable=False),  # events that the model was shown
        pa.field("last_event_time", pa.int64()),  # of the history, ms; null if not told
    ]
)

# What became of a candidate. A row may come at any time, or never; of several rows for one candidate the
# highest counts: a click is a click, whenever it was told.
LABELS = pa.schema(
    [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("clicked", pa.int8(), nullable=False),  # 1 clicked, 0 not
    ]
)
