"""One reader a format: each turns raw files into a table of texts, a row for each record, in file order."""

from __future__ import annotations

from model_code.events.readers import csv, json_lines, parquet
from model_code.events.readers.reader import Reader

# By suffix; the formats made of lines may be packed (.gz).
READERS: dict[str, Reader] = {
    ".csv": csv.READER,
    ".jsonl": json_lines.READER,
    ".json": json_lines.READER,
    ".parquet": parquet.READER,
}
