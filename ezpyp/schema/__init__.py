"""The promise of a location: what it records, what conflicts with it, and how that is told. Pure."""

from ezpyp.schema._explain import changes_of, conflict_message, upstream_keys
from ezpyp.schema._export import schema_text
from ezpyp.schema._judge import Conflict, Promises, Verdict, judge
from ezpyp.schema._records import argument_texts, records_of, resolved_texts
from ezpyp.schema._revise import Revise, allowed_changes, asked_for

__all__ = [
    "Conflict",
    "Promises",
    "Revise",
    "Verdict",
    "allowed_changes",
    "argument_texts",
    "asked_for",
    "changes_of",
    "conflict_message",
    "judge",
    "records_of",
    "resolved_texts",
    "schema_text",
    "upstream_keys",
]
