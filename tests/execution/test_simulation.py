"""The simulated machine: checked by hand where that is possible, against bounds where not."""

import json
import subprocess
import sys

import pytest

from benchmarks.simulation import POLICIES
from benchmarks.simulation._machine import Costs, simulate
from benchmarks.simulation._shapes import SHAPES, Steps, program
from tests.mpi import ROOT, clean_environ

FREE = Costs(0.0, 0.0, 0.0)
SINGLE = {"chunk_s": 0.0}
CHUNKS = {"chunk_s": 0.01}


def test_a_machine_without_costs_meets_the_bound_which_a_chain_gives_by_its_longest_path():
    outcome = simulate(Steps([()] * 100, [1.0] * 100), 10, FREE, **SINGLE)
    assert (outcome.bound_s, outcome.took_s, outcome.efficiency) == (10.0, 10.0, 1.0)
    outcome = simulate(Steps([(), (0,), (1,)], [1.0, 2.0, 3.0]), 10, FREE, **SINGLE)
    assert (outcome.bound_s, outcome.took_s) == (6.0, 6.0)


def test_a_remote_step_costs_two_messages_and_two_ways():
    outcome = simulate(Steps([(), ()], [1.0, 1.0]), 2, Costs(0.1, 0.01, 0.002), **SINGLE)

    # Dealt after rank 0's or before it: one message out and one in, the steps' own cost, two ways.
    assert outcome.messages == 2
    assert outcome.coordinator_s == pytest.approx(2 * 0.01 + 2 * 0.002)
    assert 1.2 < outcome.took_s < 1.25


def test_a_coordinator_can_be_the_bottleneck():
    outcome = simulate(Steps([()] * 2000, [0.001] * 2000), 100, Costs(0.0, 0.0, 0.001), **SINGLE)

    assert outcome.coordinator_load > 0.95
    assert outcome.took_s == pytest.approx(2.0, rel=0.01)
    assert outcome.steps_per_s == pytest.approx(1000)


def test_chunks_need_fewer_messages_and_hide_the_way_to_a_rank():
    steps, costs = Steps([()] * 10_000, [1e-4] * 10_000), Costs(50e-6, 40e-6, 10e-6)
    single, chunks = simulate(steps, 8, costs, **SINGLE), simulate(steps, 8, costs, **CHUNKS)
    assert chunks.messages < single.messages / 10
    assert chunks.took_s < single.took_s / 2

    steps, costs = Steps([()] * 10_000, [0.001] * 10_000), Costs(0.005, 0.0, 0.0)
    assert simulate(steps, 10, costs, **SINGLE).efficiency < 0.2
    assert simulate(steps, 10, costs, **CHUNKS).efficiency > 0.6


def test_a_thousand_ranks_are_kept_busy_by_steps_of_a_second():
    steps = program("independent", 20_000, 1.0, 0.5, seed=1)
    assert simulate(steps, 1000, Costs(50e-6, 40e-6, 45e-6), **CHUNKS).efficiency >= 0.95


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_run_to_its_end_above_the_bound(shape):
    steps = program(shape, 1000, 0.01, 1.0, seed=3)
    assert all(up < position for position, ups in enumerate(steps.upstreams) for up in ups)
    for policy in POLICIES.values():
        for is_recorded in (True, False):
            outcome = simulate(steps, 7, Costs(1e-4, 1e-5, 1e-5), chunk_s=policy(7), is_recorded=is_recorded)
            assert outcome.steps == len(steps.upstreams) == len(steps.seconds) == 1000
            assert 0.3 < outcome.efficiency <= 1.0


def test_the_command_prints_a_table_and_json():
    command = [sys.executable, "-m", "benchmarks", "simulation", "--ranks", "3", "--steps", "50", "--policy", "single"]
    options = {"cwd": ROOT, "env": clean_environ(), "text": True}
    assert subprocess.check_output(command, **options).splitlines()[0].split()[:4] == ["shape", "step", "s", "policy"]
    (row,) = json.loads(subprocess.check_output([*command, "--json"], **options))
    assert row["policy"] == "single"
    assert row["took_s"] >= row["bound_s"]
