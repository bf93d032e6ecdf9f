"""Apache Arrow: tables, batches and arrays by schema and values; how they are cut into chunks does not count."""

import pyarrow as pa
from pyarrow import ipc
from xxhash import xxh3_128

from ezpyp.hashing.files import Anything
from ezpyp.hashing.plain import count, tag, text
from ezpyp.hashing.walk import Children, Node, Walker

_TABLE = tag("arrow table")
_ARRAY = tag("arrow array")
_TYPE = tag("arrow type")


class _Sink:
    """A file that only remembers the digest of what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.hasher = xxh3_128()
        self.size = 0

    def write(self, data: object) -> int:
        """Take a piece."""
        view = memoryview(data)  # type: ignore[arg-type]  # Arrow writes buffers
        self.hasher.update(view)
        self.size += view.nbytes
        return view.nbytes

    def writable(self) -> bool:
        """Say that this is a file to write to."""
        return True

    def flush(self) -> None:
        """Have nothing to flush."""

    def close(self) -> None:
        """Have nothing to close."""

    def tell(self) -> int:
        """Return how much was written."""
        return self.size


def digest_of_table(table: pa.Table) -> bytes:
    """Return the digest of a table's stream format, in one chunk."""
    sink = _Sink()
    with ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.hasher.digest()


def _note_texts(w: Walker, table: pa.Table) -> None:
    if w.texts is None:
        return
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            w.texts.extend(part for part in column.unique().to_pylist() if part is not None)
        elif pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
            w.texts.append(Anything)


def walk_table(w: Walker, table: pa.Table | pa.RecordBatch) -> Children:
    """A table or record batch."""
    whole = table if isinstance(table, pa.Table) else pa.Table.from_batches([table])
    _note_texts(w, whole)
    w.emit(_TABLE + text(type(table).__name__) + count(whole.num_rows) + digest_of_table(whole))
    yield from ()


def walk_array(w: Walker, array: pa.Array | pa.ChunkedArray) -> Children:
    """An array, in one piece or in chunks."""
    name = "chunked" if isinstance(array, pa.ChunkedArray) else "array"
    table = pa.table({"": array})
    _note_texts(w, table)
    w.emit(_ARRAY + text(name) + count(len(array)) + digest_of_table(table))
    yield from ()


def walk_type(w: Walker, value: pa.DataType | pa.Field | pa.Schema) -> Children:
    """A type, field or schema: its serialized form, metadata included."""
    schema = value
    if isinstance(value, pa.DataType):
        schema = pa.schema([pa.field("", value)])
    elif isinstance(value, pa.Field):
        schema = pa.schema([value])
    w.emit(_TYPE + text(type(value).__name__))
    yield schema.serialize().to_pybytes()


def refuse_lazy(w: Walker, value: object) -> Children:
    """A dataset and what is made of it: files that are read later."""
    w.refuse(value, "it reads files later; pass ezpyp.File(path) or ezpyp.Folder(path) and open it in the step")
    yield from ()


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is one of Arrow's."""
    if kind in (pa.Table, pa.RecordBatch):
        return walk_table
    if kind in (pa.Array, pa.ChunkedArray):
        return walk_array
    if kind.__module__ in ("pyarrow._dataset", "pyarrow._dataset_parquet", "pyarrow.parquet.core"):
        return refuse_lazy
    return walk_type if kind in (pa.DataType, pa.Field, pa.Schema) else None
