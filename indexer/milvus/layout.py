"""What a collection looks like: one row an enrolled row, and a property that says which state of which index it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from indexer.contract import Contract
from indexer.errors import MilvusError
from indexer.filters.columns import BOOLEAN, DATE, NUMBER, TEXT, Columns, reading
from indexer.milvus.connect import Server, import_pymilvus

FORMAT_VERSION = 1
PROPERTY = "tgfr.state"
MAX_BYTES = 65_535
"""What Milvus holds in one text or JSON field."""
PREFIX = "tgfr_"
OTHER = "other"
LETTERS = {TEXT: "t", NUMBER: "n", BOOLEAN: "b", DATE: "d", OTHER: "x"}
"""A column's values stand in `cells` under its slot and the letter of their type: `c3n`."""


@dataclass(frozen=True)
class Column:
    """A column that filters may name. Its name never becomes part of an expression; its slot does.

    Attributes:
        slot: `c` and a number.
        kind: Type of its values; None where there are none, a description where there are several.
        reads: Types that all its texts can be read as.
    """

    slot: str
    kind: str | None
    reads: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """Which state of which index a collection is.

    Attributes:
        index_id: Of the index.
        generation: Of the index; -1 before the first publication is complete.
        rows: Rows of that state.
        subjects: Subjects of that state.
        contract: What the vectors were made with.
        columns: Name → what filters may do with it.
        changing: Rows are being deleted or replaced: nobody must begin to search.
        format_version: Of this layout.
    """

    index_id: str
    generation: int
    rows: int
    subjects: int
    contract: Contract
    columns: Mapping[str, Column]
    changing: bool = False
    format_version: int = FORMAT_VERSION

    def to_text(self) -> str:
        """As the collection's property."""
        columns = {name: [each.slot, each.kind, list(each.reads)] for name, each in self.columns.items()}
        values = {**asdict(replace(self, columns={}, contract=None)), "contract": self.contract.as_dict()}  # type: ignore[arg-type]
        return json.dumps({**values, "columns": columns}, sort_keys=True)


def read_state(server: Server, client: Any, collection: str) -> State:
    """What a collection says it is.

    Raises:
        MilvusError: It is not there, or is none of ours, or of another format version.
    """
    with server.errors(f"looking at collection {collection!r}"):
        there = client.has_collection(collection, timeout=server.timeout)
        properties = client.describe_collection(collection, timeout=server.timeout)["properties"] if there else {}
    if not there:
        raise MilvusError(
            f"collection {collection!r} of {server.uri}",
            found="no such collection",
            expected="a published index",
            do=f"tgfr-search publish INDEX --milvus-uri {server.uri}",
        )
    try:
        values = json.loads(properties[PROPERTY])
        version = values["format_version"]
        if version == FORMAT_VERSION:
            columns = {
                name: Column(slot, kind, tuple(reads)) for name, (slot, kind, reads) in values["columns"].items()
            }
            return State(**{**values, "columns": columns, "contract": Contract.from_dict(values["contract"])})
    except (KeyError, TypeError, ValueError):
        version = None
    raise MilvusError(
        f"collection {collection!r} of {server.uri}",
        found="a collection of something else" if version is None else f"format version {version!r}",
        expected=f"a published index of format version {FORMAT_VERSION}",
        do="choose another collection, or publish into a new one",
    )


def write_state(server: Server, client: Any, collection: str, state: State) -> None:
    """Make this the collection's state, in one step.

    Raises:
        MilvusError: The server refused or did not answer.
    """
    with server.errors("writing the state"):
        client.alter_collection_properties(collection, {PROPERTY: state.to_text()}, timeout=server.timeout)


def create_collection(server: Server, client: Any, collection: str, state: State) -> None:
    """Make an empty collection. Its index is FLAT: every row is looked at, and the answer is exact.

    Raises:
        MilvusError: The server refused or did not answer.
    """
    kinds = import_pymilvus().DataType
    with server.errors(f"making collection {collection!r}"):
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False, description="tgfr-search")
        schema.add_field("row_id", kinds.INT64, is_primary=True)
        schema.add_field("born", kinds.INT64)
        schema.add_field("subject_key", kinds.INT64)
        schema.add_field("subject_id", kinds.VARCHAR, max_length=MAX_BYTES)
        schema.add_field("cells", kinds.JSON)
        schema.add_field("row", kinds.VARCHAR, max_length=MAX_BYTES)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=state.contract.dim)
        index = client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="IP")
        client.create_collection(
            collection,
            schema=schema,
            index_params=index,
            consistency_level="Strong",
            properties={PROPERTY: state.to_text()},
            timeout=server.timeout,
        )


def collection_of(index_id: str) -> str:
    """The name of an index's collection."""
    return PREFIX + index_id.replace("-", "_")


def subject_key(subject_id: str) -> int:
    """A number that stands for a subject in expressions, int64 ≥ 0; whoever asks by it compares the id too."""
    return int.from_bytes(hashlib.sha256(subject_id.encode()).digest()[:8], "big") >> 1


def columns_of(columns: Columns, before: Mapping[str, Column]) -> dict[str, Column]:
    """The columns of a generation; those that were published before keep their slots."""
    out = dict(before)
    for name, kind, reads in columns.catalogue():
        slot = before[name].slot if name in before else f"c{len(out)}"
        out[name] = Column(slot, kind, reads)
    return out


def cells_of(columns: Mapping[str, Column], values: Mapping[str, Any]) -> dict[str, Any]:
    """One row's values, as filters look at them: each under its own type, a text also as all it can be read as."""
    cells: dict[str, Any] = {}
    for name, value in values.items():
        if value is None:
            continue
        slot = columns[name].slot
        if isinstance(value, bool):
            cells[slot + LETTERS[BOOLEAN]] = value
        elif isinstance(value, int | float):
            cells[slot + LETTERS[NUMBER]] = float(value)
        elif isinstance(value, str):
            cells[slot + LETTERS[TEXT]] = value
            for kind in (NUMBER, BOOLEAN, DATE):
                if (read := reading(value, kind)) is not None:
                    cells[slot + LETTERS[kind]] = read
        else:
            cells[slot + LETTERS[OTHER]] = True
    return cells
