"""Writes scenarios out as files and runs them, a batch of scripts a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

SERVER = Path(__file__).with_name("_server.py")
ROOT = Path(__file__).parents[2]


def write(folder, files):
    """Write files below ``folder`` and return the path of the script."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    script = next(name for name in files if name.endswith(("script.py", "other.py")))
    return str(folder / script)


def run(jobs, seed, *options, numpy=False):
    """Run jobs in children of one fresh process and return their answers."""
    environment = dict(os.environ, PYTHONHASHSEED=str(seed), PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, *options, str(SERVER), *(["--numpy"] if numpy else [])]
    done = subprocess.run(command, input=json.dumps(jobs), env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(jobs), done.stderr
    return answers
