"""The promise of a location: what it records, what conflicts with it, and how that is told. Pure."""

from ezpyp.schema._cause import Cause
from ezpyp.schema._difference import Recorded, causes_of, function_causes, plain
from ezpyp.schema._excerpt import excerpt, rest_of
from ezpyp.schema._explain import Stored, changes_of, conflict_message, recorded_of
from ezpyp.schema._export import schema_text
from ezpyp.schema._judge import Conflict, Promises, Verdict, judge
from ezpyp.schema._leaves import secret_text
from ezpyp.schema._nodes import leaves_of
from ezpyp.schema._records import argument_texts, records_of, resolved_texts
from ezpyp.schema._revise import Revise, allowed_changes, asked_for
from ezpyp.schema._upstreams import Changed, Upstream, changed_upstreams, listed, upstream_of

__all__ = [
    "Cause",
    "Changed",
    "Conflict",
    "Promises",
    "Recorded",
    "Revise",
    "Stored",
    "Upstream",
    "Verdict",
    "allowed_changes",
    "argument_texts",
    "asked_for",
    "causes_of",
    "changed_upstreams",
    "changes_of",
    "conflict_message",
    "excerpt",
    "function_causes",
    "judge",
    "leaves_of",
    "listed",
    "plain",
    "recorded_of",
    "records_of",
    "resolved_texts",
    "rest_of",
    "schema_text",
    "secret_text",
    "upstream_of",
]
