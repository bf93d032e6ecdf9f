"""Runs many scripts in fresh processes at the price of one: the process that is forked has imported ezpyp already.

Reads a list of jobs from standard input, writes one line of JSON a job. A job names a script, and how to run it: as
``__main__`` or imported, traced, with a rule switched off.
"""

import importlib
import json
import os
import sys
import types

sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ezpyp.explain.record import record_of  # noqa: E402  # the path comes first
from ezpyp.hashing.encode import encode  # noqa: E402
from tests.hashing import _rules  # noqa: E402

if "--numpy" in sys.argv:
    importlib.import_module("numpy")


def run_script(path, mode):
    """Run a script as Python would, or import it, and return its names."""
    sys.argv = [path]
    sys.path.insert(0, os.path.dirname(path))
    os.chdir(os.path.dirname(path))
    if mode == "import":
        return vars(importlib.import_module(os.path.splitext(os.path.basename(path))[0]))
    module = types.ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), vars(module))
    return vars(module)


def digests(job):
    """Return the digests of the script's step and arguments, and what changes are told of."""
    if job.get("rule"):
        for rule in job["rule"].split("+"):
            _rules.RULES[rule]()
    if job.get("trace"):
        sys.settrace(lambda *_: lambda *_: None)
    names = run_script(job["script"], job.get("mode", "main"))
    if job.get("coverage"):
        import coverage

        coverage.Coverage(data_file=None).start()
    step = names.get("step") or names["renamed"]
    options = names.get("options", {})
    identity = record_of(step, **options)
    arguments = names.get("args", ())
    encoded = encode(arguments, [f"args[{i}]" for i in range(len(arguments))])
    found = {"digest": identity.digest.hex() + encoded.hex(), "not_tracked": identity.not_tracked}
    if job.get("identity"):
        found["identity"] = identity.to_json()
    return found


def answer(job):
    """Run a job in a child and return its line."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        try:
            found = digests(job)
        except BaseException as error:
            found = {"error": f"{type(error).__name__}: {error}"}
            import traceback

            found["traceback"] = traceback.format_exc()
        sys.settrace(None)
        with os.fdopen(writer, "w") as file:
            json.dump(found, file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        line = file.read()
    os.waitpid(child, 0)
    return line or '{"error": "died"}'


if __name__ == "__main__":
    for job in json.load(sys.stdin):
        print(answer(job), flush=True)
