"""Ranks, messages and one coordinator, in simulated time."""

import heapq
from dataclasses import dataclass

from benchmarks.simulation._shapes import Steps
from ezpyp.execution.mpi.work import SHORT_S
from ezpyp.execution.scheduler import Dispatcher, Scheduler, longest_first


@dataclass(frozen=True, slots=True)
class Costs:
    """What the machine takes beside the steps themselves.

    Attributes:
        latency_s: From one rank to another.
        message_s: The coordinator's work for a message, in or out.
        step_s: The coordinator's work for a step: to decide on it, and to record it.
    """

    latency_s: float
    message_s: float
    step_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a simulated run went.

    Attributes:
        ranks: Number of ranks.
        steps: Number of steps.
        bound_s: No scheduler is faster: the larger of work / ranks and the longest path.
        took_s: When the coordinator knew of the last step.
        coordinator_s: How long the coordinator was busy.
        messages: Messages in and out.
    """

    ranks: int
    steps: int
    bound_s: float
    took_s: float
    coordinator_s: float
    messages: int

    @property
    def efficiency(self) -> float:
        """Bound over time taken, 0 to 1."""
        return self.bound_s / self.took_s

    @property
    def coordinator_load(self) -> float:
        """Part of the time for which the coordinator was busy: near 1 it is the bottleneck."""
        return self.coordinator_s / self.took_s

    @property
    def steps_per_s(self) -> float:
        """Steps a second at which this coordinator would be busy all the time."""
        return self.steps / self.coordinator_s


def simulate(steps: Steps, ranks: int, costs: Costs, *, chunk_s: float, is_recorded: bool = True) -> Outcome:
    """Run a program on so many ranks.

    Args:
        steps: The program.
        ranks: How many ranks compute; rank 0's coordinator is beside its computing.
        costs: What the machine takes.
        chunk_s: Work of a chunk, see `Dispatcher`.
        is_recorded: Whether the scheduler knows how long each step takes.

    Example:
        >>> outcome = simulate(Steps([()] * 4, [1.0] * 4), 2, Costs(0.1, 0.0, 0.0), chunk_s=0.0)
        >>> outcome.bound_s, round(outcome.took_s, 3)
        (2.0, 2.4)
    """
    machine = _Machine(steps, ranks, costs, Dispatcher(
        range(ranks), (lambda position: steps.seconds[position]) if is_recorded else (lambda _: None),
        chunk_s=chunk_s, coordinator=0,
    ), max(SHORT_S, chunk_s / 2), is_recorded=is_recorded)  # fmt: skip
    took_s = machine.run()
    bound_s = max(sum(steps.seconds) / ranks, steps.longest_path_s)
    return Outcome(ranks, len(steps.seconds), bound_s, took_s, machine.busy_s, machine.messages)


class _Machine:
    """One run. The coordinator deals with messages one after another, in the order of their arrival."""

    def __init__(
        self,
        steps: Steps,
        ranks: int,
        costs: Costs,
        dispatcher: Dispatcher,
        reported_after_s: float,
        *,
        is_recorded: bool,
    ) -> None:
        count = len(steps.seconds)
        urgency = longest_first(steps.upstreams, steps.seconds if is_recorded else [1.0] * count)
        self._scheduler = Scheduler(steps.upstreams, range(count), urgency)
        self._seconds = steps.seconds
        self._costs = costs
        self._dispatcher = dispatcher
        self._reported_after_s = reported_after_s
        self._free_at = [0.0] * ranks
        self._arrivals: list[tuple[float, int, int, list[int]]] = []
        self._sent = 0
        self._now = 0.0
        self.busy_s = 0.0
        self.messages = 0

    def run(self) -> float:
        """Simulated seconds until the last step is known to be done."""
        self._assign()
        while self._arrivals:
            arrived, _, rank, positions = heapq.heappop(self._arrivals)
            self._now = max(self._now, arrived)
            self._spend(len(positions), is_remote=rank != 0)
            for position in positions:
                self._dispatcher.returned(rank, position)
                self._scheduler.finish(position)
            self._assign()
        if self._scheduler.left:
            raise RuntimeError(f"{self._scheduler.left} steps were never run")
        return self._now

    def _spend(self, steps: int, *, is_remote: bool) -> None:
        # Half of a step's cost is deciding on it, half recording it.
        cost = steps * self._costs.step_s / 2 + is_remote * self._costs.message_s
        self._now += cost
        self.busy_s += cost
        self.messages += is_remote

    def _assign(self) -> None:
        while (dealt := self._dispatcher.assign(self._scheduler.take, self._scheduler.ready)) is not None:
            rank, positions = dealt
            self._spend(len(positions), is_remote=rank != 0)
            self._run_on(rank, positions)

    def _run_on(self, rank: int, positions: list[int]) -> None:
        latency_s = self._costs.latency_s if rank else 0.0
        time_s = max(self._free_at[rank], self._now + latency_s)
        finished: list[int] = []
        reported_at = time_s
        for position in positions:
            time_s += self._seconds[position]
            finished.append(position)
            if time_s - reported_at >= self._reported_after_s or position == positions[-1]:
                self._sent += 1
                heapq.heappush(self._arrivals, (time_s + latency_s, self._sent, rank, finished))
                finished, reported_at = [], time_s
        self._free_at[rank] = time_s
