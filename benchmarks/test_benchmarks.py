"""The measurements still run; what they say is for a quiet machine."""

import subprocess
import sys
from pathlib import Path

from benchmarks import everything
from benchmarks._million import build
from tests.mpi import ROOT, clean_environ


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean_environ(), capture_output=True, text=True)


def test_overhead_measures_every_shape(tmp_path: Path) -> None:
    done = benchmark(
        *("overhead", "--only", "ezpyp", "sqlite3", "--steps", "5", "--rounds", "1", "--folder", str(tmp_path)),
    )

    assert done.returncode == 0, done.stderr
    titles = [line for line in done.stdout.splitlines() if line.endswith("5 steps; microseconds a step")]
    assert titles == [f"{shape}, 5 steps; microseconds a step" for shape in ("independent", "chain", "fan-in")]
    assert "1.00" in done.stdout
    assert not list(tmp_path.iterdir())


def test_everything_makes_a_table_and_a_picture(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(everything, "two_cores", lambda rounds: {"serial": 1.0})  # a minute of its own

    everything.main(
        ["--divide", "500", "--rounds", "1", "--only", "sqlite3", "numpy", "ezpyp", "--save", str(tmp_path)]
    )

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| cold / warm, x floor | floor | ezpyp |"
    assert [line.split(" |")[0] for line in lines[2:9]] == [f"| {title}" for _, _, title in everything.CASES]
    assert {file.name for file in tmp_path.iterdir()} == {f"benchmarks.{end}" for end in ("json", "txt", "svg", "png")}


def test_hashing_measures_every_kind_of_value() -> None:
    done = benchmark("hashing", "--mib", "4", "--items", "1000", "--calls", "20", "--seconds", "0.001")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[:10] for line in lines[7:9]] == ["array of 4", "the same a"]
    assert lines[-1].startswith("20 calls given the array: declared ")


def test_a_wrong_name_lists_the_measurements() -> None:
    done = benchmark("underhead")

    assert done.returncode == 1
    assert "overhead" in done.stderr


def test_store_measures_files_and_memory(tmp_path: Path) -> None:
    done = benchmark(
        *("store", "--mib", "8", "--steps", "50", "--files", "3", "--repeat", "1", "--folder", str(tmp_path)),
    )

    assert done.returncode == 0, done.stderr
    assert "50 small steps: 3 files;" in done.stdout
    assert "3 results of 100 kB: 6 files;" in done.stdout
    assert "peak memory" in done.stdout
    assert not list(tmp_path.iterdir())


def test_inspect_measures_every_verb_on_a_sound_cache(tmp_path: Path) -> None:
    done = benchmark("inspect", "--steps", "500", "--repeat", "1", "--folder", str(tmp_path))

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "500 steps" in lines[0]
    assert [line[:8] for line in lines[2:4]] == ["overview", "steps --"]
    assert lines[-1].startswith("steps --format json ")
    cache = build(tmp_path / "cache", 10_000)
    verified = subprocess.run(
        [sys.executable, "-m", "ezpyp.inspect", str(cache), "verify"],
        cwd=ROOT, env=clean_environ(), capture_output=True, text=True,
    )  # fmt: skip
    assert verified.stdout == "10000 steps, 9998 results, 1 runs: all as stored\n"
