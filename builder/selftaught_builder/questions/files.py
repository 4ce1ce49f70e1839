"""Question files: JSON Lines, CSV and Parquet, read lazily; a broken row is reported in its place."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from selftaught_builder.common.errors import QuestionError
from selftaught_builder.questions.rows import NumberedRows, Row, RowProblem, check_columns, unreadable


def read_jsonl(path: Path) -> NumberedRows:
    """Yield (line number, row) for each line of a JSON Lines file; blank lines are skipped.

    Raises:
        QuestionError: the file cannot be read.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip(b" \t\r\n\xef\xbb\xbf"):
                    yield number, _json_row(line)
    except OSError as error:
        raise unreadable(path, error) from None


def _json_row(line: bytes) -> Row | RowProblem:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return RowProblem("broken_row", f"not UTF-8: {error.reason} at byte {error.start + 1}")
    except (ValueError, RecursionError) as error:
        return RowProblem("broken_row", f"not valid JSON: {error}")
    return row if isinstance(row, dict) else RowProblem("broken_row", f"not a JSON object but {type(row).__name__}")


def read_csv(path: Path) -> NumberedRows:
    """Yield (data row number, row) for each row of a CSV file with a header; `.tsv` files are split at tabs.

    Raises:
        QuestionError: the file cannot be read, or its header is unusable.
    """
    delimiter = "\t" if path.suffix == ".tsv" else ","
    try:
        # Bytes that are no UTF-8 become lone surrogates, so that they spoil their own row and not the file.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            header = _csv_header(reader, path)
            yield from enumerate(_csv_rows(reader, header), start=1)
    except OSError as error:
        raise unreadable(path, error) from None


def _csv_header(reader: Iterator[list[str]], path: Path) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise unreadable(path, error) from None
    if any(_is_broken(name) for name in header):
        raise QuestionError("the header is not UTF-8", place=path, mend="Save the file as UTF-8.")
    check_columns(header, path)
    return header


def _csv_rows(reader: Iterator[list[str]], header: list[str]) -> Iterator[Row | RowProblem]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowProblem("broken_row", f"not valid CSV: {error}")
            continue
        if cells:
            yield _csv_row(cells, header)


def _csv_row(cells: list[str], header: list[str]) -> Row | RowProblem:
    if len(cells) != len(header):
        return RowProblem("broken_row", f"{len(cells)} cells under a header of {len(header)}")
    if any(_is_broken(cell) for cell in cells):
        return RowProblem("broken_row", "not UTF-8")
    return dict(zip(header, cells, strict=True))


def _is_broken(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def read_parquet(path: Path) -> NumberedRows:
    """Yield (row number, row) for each row of a Parquet file, a batch of rows in memory at a time.

    Raises:
        QuestionError: the file cannot be read, or is no Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as table:
            check_columns(table.schema_arrow.names, path)
            for batch in table.iter_batches(batch_size=1024):
                for row in _parquet_rows(batch):
                    number += 1
                    yield number, row
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from None


def _parquet_rows(batch: Any) -> list[Row | RowProblem]:
    try:
        return batch.to_pylist()
    except ValueError:  # bytes that are no UTF-8, somewhere in the batch: find whose they are
        return [_parquet_row(batch.slice(index, 1)) for index in range(len(batch))]


def _parquet_row(batch: Any) -> Row | RowProblem:
    try:
        return batch.to_pylist()[0]
    except ValueError as error:
        return RowProblem("broken_row", str(error))


FILE_READERS: Mapping[str, Callable[[Path], NumberedRows]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
"""How a question file is read, by its suffix."""
