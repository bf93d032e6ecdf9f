"""What a step gave: codecs, objects, and the SQLite index."""

from importlib import import_module
from typing import TYPE_CHECKING

from ezpyp.store._circumstances import KINDS as CIRCUMSTANCES
from ezpyp.store._circumstances import circumstances_at, record_circumstances
from ezpyp.store._connection import INDEX_NAME, RECOVERY, index_path, translated
from ezpyp.store._holder import Owner, batch_job, current_owner
from ezpyp.store._manifests import Manifest, manifest_of, packed_manifest, shared_text
from ezpyp.store._opening import SQL_ERRORS, OpenIndex, check_there, open_as_owner, open_index, unreadable
from ezpyp.store._outputs import OutputRow, insert_outputs, output_of
from ezpyp.store._tables import EARLIER_VIEWS, FORMAT, SCRIPT
from ezpyp.store._text import storable
from ezpyp.store._trust import check_trust, trust_for_good

if TYPE_CHECKING:
    from ezpyp.store._damage import (
        Damage,
        damage_of,
        damaged_results,
        insert_damage,
        mark_damage,
        mark_doubt,
        record_changed_files,
        record_markers,
        record_missing,
        tell_damage,
    )
    from ezpyp.store._encoded import Encoded, decode_result, encode_result
    from ezpyp.store._file_digests import load_file_digests, save_file_digests
    from ezpyp.store._filesystem import filesystem_of
    from ezpyp.store._index import Index, is_cache, replace_file
    from ezpyp.store._mapping import read_private
    from ezpyp.store._objects import INLINE_LIMIT, ObjectStore
    from ezpyp.store._records import (
        Edge,
        ErrorRow,
        KnownResult,
        KnownStep,
        NewResult,
        RunRow,
        StepRecord,
        StepRow,
        StoredResult,
    )
    from ezpyp.store._result_files import changed_files, files_of
    from ezpyp.store._results import (
        Sealed,
        check_payload,
        digest_of,
        has_checksum,
        insert_results,
        newest_results,
        payload_of,
        result_checksum,
        result_of_input,
        results_by_id,
    )
    from ezpyp.store._runs import (
        KilledRun,
        RunCounts,
        all_rows_current,
        ended_in_order,
        error_of,
        finish_run,
        insert_errors,
        insert_step_rows,
        killed_run,
        latest_rows,
        record_counts,
        recorded_durations,
        start_run,
    )
    from ezpyp.store._schema_rows import (
        all_steps,
        bound_steps,
        edges_of,
        function_identity_of,
        function_tags,
        is_in_revision,
        latest_revision,
        record_functions,
        record_revision,
        record_steps,
        steps_named,
        steps_of_revision,
        steps_recorded,
    )
    from ezpyp.store._step_seals import columns_of, mend_steps, step_checksum, unsound_steps
    from ezpyp.store.codecs import Codec, get_codec, register_codec

__all__ = [
    "unreadable",
    "unsound_steps",
    "mend_steps",
    "columns_of",
    "CIRCUMSTANCES",
    "FORMAT",
    "INDEX_NAME",
    "INLINE_LIMIT",
    "RECOVERY",
    "SCRIPT",
    "EARLIER_VIEWS",
    "SQL_ERRORS",
    "Codec",
    "Damage",
    "Edge",
    "Encoded",
    "ErrorRow",
    "Index",
    "KilledRun",
    "KnownResult",
    "KnownStep",
    "Manifest",
    "NewResult",
    "ObjectStore",
    "OpenIndex",
    "OutputRow",
    "Owner",
    "RunCounts",
    "RunRow",
    "Sealed",
    "StepRecord",
    "StepRow",
    "StoredResult",
    "all_rows_current",
    "all_steps",
    "batch_job",
    "bound_steps",
    "changed_files",
    "check_payload",
    "check_there",
    "check_trust",
    "circumstances_at",
    "current_owner",
    "damage_of",
    "damaged_results",
    "decode_result",
    "digest_of",
    "edges_of",
    "encode_result",
    "ended_in_order",
    "error_of",
    "files_of",
    "filesystem_of",
    "finish_run",
    "function_identity_of",
    "function_tags",
    "get_codec",
    "has_checksum",
    "index_path",
    "insert_damage",
    "insert_errors",
    "insert_outputs",
    "insert_results",
    "insert_step_rows",
    "is_cache",
    "is_in_revision",
    "latest_revision",
    "killed_run",
    "latest_rows",
    "load_file_digests",
    "manifest_of",
    "mark_damage",
    "mark_doubt",
    "newest_results",
    "open_as_owner",
    "open_index",
    "output_of",
    "packed_manifest",
    "payload_of",
    "read_private",
    "record_changed_files",
    "record_counts",
    "record_circumstances",
    "record_functions",
    "record_markers",
    "record_missing",
    "record_revision",
    "record_steps",
    "recorded_durations",
    "register_codec",
    "replace_file",
    "result_checksum",
    "result_of_input",
    "results_by_id",
    "save_file_digests",
    "shared_text",
    "start_run",
    "step_checksum",
    "steps_named",
    "steps_of_revision",
    "steps_recorded",
    "storable",
    "tell_damage",
    "translated",
    "trust_for_good",
]

# Whoever only reads needs none of these; they are 25 of the 130 ms in which `ezpyp.inspect` would start.
_OF_WRITERS = (
    "codecs", "_records", "_results", "_step_seals", "_filesystem", "_mapping", "_file_digests", "_result_files",
    "_schema_rows", "_runs", "_encoded", "_objects", "_index", "_damage",
)  # fmt: skip


def __getattr__(name: str) -> object:
    """Import what is asked for, when it is."""
    for home in _OF_WRITERS if name in __all__ else ():
        module = import_module(f"ezpyp.store.{home}")
        if hasattr(module, name):
            globals()[name] = getattr(module, name)  # the next look-up does not come here
            return globals()[name]
    raise AttributeError(f"module 'ezpyp.store' has no attribute {name!r}")
