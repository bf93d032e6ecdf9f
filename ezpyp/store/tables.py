"""The tables, triggers and views of ``ezpyp.sqlite``.

A fresh index is this one script: creating it through sqlite-utils would cost 190 ms of import, which a
script that is run fifty times a day should not pay. sqlite-utils serves people's own queries.

Identities (steps, functions, edges), revisions and results are append-only. The triggers say so to every
program that opens the file; a plain DELETE trigger would not stop REPLACE on a connection without
``recursive_triggers``, hence the INSERT triggers.
"""

from __future__ import annotations

FORMAT = 1
"""Number of the format; raised when a table changes its meaning."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE functions (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, name TEXT NOT NULL, module TEXT NOT NULL,
    file TEXT NOT NULL, line INTEGER NOT NULL, python TEXT NOT NULL, identity BLOB NOT NULL, source BLOB
);

CREATE TABLE revisions (
    revision INTEGER PRIMARY KEY, digest BLOB NOT NULL, recorded_at REAL NOT NULL,
    steps INTEGER NOT NULL, note TEXT NOT NULL
);

CREATE TABLE steps (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, key BLOB NOT NULL,
    function INTEGER NOT NULL REFERENCES functions, codec TEXT NOT NULL, phase INTEGER NOT NULL,
    args TEXT NOT NULL, kwargs TEXT NOT NULL, params TEXT NOT NULL, settings TEXT, shape BLOB,
    checksum BLOB NOT NULL, manifest TEXT, UNIQUE (name, key)
);

-- What many arguments share, and what is too large for a step's row; see `ezpyp.store.rows`.
CREATE TABLE manifests (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, content BLOB NOT NULL);

CREATE TABLE step_edges (
    step INTEGER NOT NULL, ordinal INTEGER NOT NULL, upstream INTEGER NOT NULL,
    kind TEXT NOT NULL, slot TEXT NOT NULL, PRIMARY KEY (step, ordinal)
) WITHOUT ROWID;

CREATE TABLE schema_changes (
    step INTEGER NOT NULL, revision INTEGER NOT NULL, present INTEGER NOT NULL,
    PRIMARY KEY (step, revision)
) WITHOUT ROWID;

-- The payload stands last, so that reading the other columns never touches its overflow pages.
CREATE TABLE results (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, input_key BLOB, value_digest BLOB, digest BLOB NOT NULL,
    size INTEGER NOT NULL, codec TEXT NOT NULL, codec_version INTEGER NOT NULL, suffix TEXT NOT NULL,
    origin INTEGER, preview TEXT NOT NULL, type TEXT NOT NULL, run INTEGER NOT NULL,
    checksum BLOB NOT NULL, payload BLOB
);
CREATE INDEX results_by_key ON results (key);
CREATE INDEX results_by_input_key ON results (input_key) WHERE input_key IS NOT NULL;

-- Files that a result names (ezpyp.File); their content lies in the store, as DIGEST.file.
CREATE TABLE result_files (
    result INTEGER NOT NULL, path TEXT NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (result, path)
) WITHOUT ROWID;

-- What the step that gave a result read beside its arguments: the result can be used again while it is the same.
CREATE TABLE observations (
    result INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL, stamp BLOB NOT NULL,
    PRIMARY KEY (result, kind, name)
) WITHOUT ROWID;

CREATE TABLE damages (result INTEGER PRIMARY KEY, found_at REAL NOT NULL, reason TEXT NOT NULL);

CREATE TABLE runs (
    run INTEGER PRIMARY KEY, revision INTEGER NOT NULL, started_at REAL NOT NULL, finished_at REAL,
    status TEXT NOT NULL, ranks INTEGER NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, user TEXT,
    command TEXT, directory TEXT, python TEXT, ezpyp TEXT, job TEXT, total INTEGER NOT NULL,
    cached INTEGER, done INTEGER, failed INTEGER, skipped INTEGER, seconds REAL, busy_seconds REAL,
    phases TEXT, git_commit TEXT, git_dirty INTEGER
);

CREATE TABLE step_rows (
    step INTEGER NOT NULL, run INTEGER NOT NULL, status INTEGER NOT NULL, cached INTEGER NOT NULL,
    result INTEGER, args TEXT, kwargs TEXT, started_at REAL, seconds REAL, rank INTEGER, host TEXT,
    reason TEXT, PRIMARY KEY (step, run)
) WITHOUT ROWID;
-- Of a million rows the few that failed, and the few that took long, are found at once. Neither index costs a
-- short step that is done anything.
CREATE INDEX step_rows_not_done ON step_rows (status) WHERE status <> 0;
CREATE INDEX step_rows_slow ON step_rows (seconds) WHERE seconds >= 0.01;

CREATE TABLE errors (
    step INTEGER NOT NULL, run INTEGER NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, file TEXT,
    line INTEGER, traceback TEXT NOT NULL, blame TEXT, PRIMARY KEY (step, run)
) WITHOUT ROWID;

-- Digests of files by the stamp of their state: a memo, no record.
CREATE TABLE files (id INTEGER PRIMARY KEY, stamp BLOB NOT NULL UNIQUE, digest BLOB NOT NULL);

-- What a step wrote, each stream as zlib or as it is, see `ezpyp.store.runs`; no row where it was silent.
CREATE TABLE outputs (
    step INTEGER NOT NULL, run INTEGER NOT NULL, stdout BLOB, stderr BLOB, log BLOB, PRIMARY KEY (step, run)
);

-- What was around a function and counts in no key, as JSON; a row where it is not what it was.
CREATE TABLE circumstances (
    function INTEGER NOT NULL, run INTEGER NOT NULL, parts TEXT NOT NULL, PRIMARY KEY (function, run)
) WITHOUT ROWID;

CREATE TABLE holder (
    id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, owner TEXT, heartbeat REAL
);
INSERT INTO holder VALUES (1, 0, NULL, NULL);
"""

# Which row an insertion would replace.
_APPEND_ONLY = {
    "functions": "id = NEW.id OR digest = NEW.digest",
    "revisions": "revision = NEW.revision",
    "steps": "id = NEW.id OR (name = NEW.name AND key = NEW.key)",
    "manifests": "id = NEW.id OR digest = NEW.digest",
    "step_edges": "step = NEW.step AND ordinal = NEW.ordinal",
    "schema_changes": "step = NEW.step AND revision = NEW.revision",
    "results": "id = NEW.id",
    "result_files": "result = NEW.result AND path = NEW.path",
    "observations": "result = NEW.result AND kind = NEW.kind AND name = NEW.name",
}


def _guards(table: str, same_row: str) -> str:
    refusal = f"SELECT RAISE(ABORT, 'ezpyp: rows of {table} are never changed, replaced or deleted');"
    replaces = f"EXISTS (SELECT 1 FROM {table} WHERE {same_row})"
    events = [("update", "UPDATE", ""), ("delete", "DELETE", ""), ("replace", "INSERT", f" WHEN {replaces}")]
    return "".join(
        f"CREATE TRIGGER {table}_no_{name} BEFORE {event} ON {table}{condition} BEGIN {refusal} END;\n"
        for name, event, condition in events
    )


TRIGGERS = "".join(_guards(table, same_row) for table, same_row in _APPEND_ONLY.items())

RESULT_PATH = """CASE WHEN o.payload IS NOT NULL THEN '/ezpyp.sqlite#' || lower(hex(o.digest)) ELSE
    '/objects/' || lower(substr(hex(o.digest), 1, 2) || '/' || substr(hex(o.digest), 3)) || o.suffix END"""
"""Where a result is, below the location; ``o`` is the row of ``results`` with the bytes: its own, or its origin's."""

# The views find the location from the open file, so that a moved cache shows its new paths.
VIEWS = f"""
CREATE VIEW location AS
    SELECT substr(file, 1, length(file) - length('/ezpyp.sqlite')) AS folder
    FROM pragma_database_list WHERE name = 'main';

-- An adopted result has the digest of its origin, and no payload of its own.
CREATE VIEW object_paths AS
    SELECT r.id AS result, (SELECT folder FROM location) || {RESULT_PATH} AS path
    FROM results r JOIN results o ON o.id = coalesce(r.origin, r.id);

-- MAX() of SQLite takes the bare columns from the very row that holds the maximum.
CREATE VIEW schema_now AS
    SELECT step FROM (SELECT step, present, max(revision) FROM schema_changes GROUP BY step) WHERE present = 1;

CREATE VIEW current_steps AS
    SELECT s.id AS step, s.name, lower(hex(s.key)) AS key, f.name AS function, f.file, f.line, s.codec, s.phase,
        coalesce(w.status, -1) AS status, coalesce(w.cached, 0) AS cached,
        coalesce(w.args, s.args) AS args, coalesce(w.kwargs, s.kwargs) AS kwargs,
        (SELECT path FROM object_paths p WHERE p.result = w.result) AS result, w.result AS result_id,
        w.seconds, w.started_at, w.rank, w.host, w.run, w.reason, s.params
    FROM schema_now n JOIN steps s ON s.id = n.step JOIN functions f ON f.id = s.function
    LEFT JOIN step_rows w ON w.step = s.id AND w.run = (SELECT max(run) FROM step_rows x WHERE x.step = s.id);

CREATE VIEW summary AS
    SELECT name, args, kwargs, phase, status, result FROM current_steps ORDER BY phase, step;

CREATE VIEW latest AS
    SELECT name, function, phase, status, CASE status WHEN 0 THEN 'done' WHEN 1 THEN 'failed' WHEN 2 THEN 'skipped'
            WHEN -2 THEN 'running' ELSE 'pending' END AS state,
        run, started_at, seconds, rank, host, args, kwargs, result, key, codec, file, line, reason
    FROM current_steps ORDER BY phase, step;

-- From each step that failed down to those that were skipped for it, each of which names the one above it. `unhappy` is
-- indexed once, where the tables would be searched for each row again; LIMIT sees to that before SQLite 3.35.
CREATE VIEW failures AS
    WITH RECURSIVE unhappy(step, run, name, blame) AS (
        SELECT e.step, e.run, s.name, e.blame FROM errors e JOIN steps s ON s.id = e.step LIMIT -1
    ),
    below(step, run, name, root) AS (
        SELECT step, run, name, NULL FROM unhappy WHERE blame IS NULL
        UNION ALL
        SELECT u.step, u.run, u.name, coalesce(b.root, b.name)
        FROM below b JOIN unhappy u ON u.run = b.run AND u.blame = b.name
    )
    SELECT c.run, c.name, c.phase, c.status, e.type, e.message, e.file, e.line, coalesce(b.root, e.blame) AS blame,
        e.traceback
    FROM current_steps c JOIN errors e ON e.step = c.step AND e.run = c.run
    LEFT JOIN below b ON b.step = e.step AND b.run = e.run WHERE c.status IN (1, 2);

CREATE VIEW timeline AS
    SELECT w.run, w.rank, w.host, s.name, f.name AS function, s.phase, w.status, w.started_at,
        w.started_at + w.seconds AS finished_at, w.started_at - u.started_at AS start, w.seconds
    FROM step_rows w JOIN steps s ON s.id = w.step JOIN functions f ON f.id = s.function JOIN runs u ON u.run = w.run
    WHERE w.cached = 0 AND w.rank IS NOT NULL ORDER BY w.run, w.started_at;

CREATE VIEW edges AS
    SELECT u.name AS upstream, s.name AS downstream, e.kind, e.slot
    FROM schema_now n JOIN steps s ON s.id = n.step JOIN step_edges e ON e.step = s.id JOIN steps u ON u.id = e.upstream
    ORDER BY s.phase, s.id, e.ordinal;
"""

SCRIPT = TABLES + TRIGGERS + VIEWS
