"""Running steps: the ready queue, one step's body, serial runs and MPI."""

from ezpyp.execution._communicator import Communicator, SerialCommunicator
from ezpyp.execution._connect import connect
from ezpyp.execution._mpi import work
from ezpyp.execution._outcome import DONE, FAILED, PENDING, RUNNING, SKIPPED, Failure
from ezpyp.execution._plan import Plan, PlannedStep, found_results, plan_of
from ezpyp.execution._report import Report
from ezpyp.execution._run import SUMMARY_NAME, RunRequest, run_on_rank_0
from ezpyp.execution._scheduler import Scheduler
from ezpyp.execution._sharing import not_shared
from ezpyp.execution._worker import Worker

__all__ = [
    "DONE",
    "FAILED",
    "PENDING",
    "RUNNING",
    "SKIPPED",
    "SUMMARY_NAME",
    "Communicator",
    "Failure",
    "Plan",
    "PlannedStep",
    "Report",
    "RunRequest",
    "Scheduler",
    "SerialCommunicator",
    "Worker",
    "connect",
    "found_results",
    "not_shared",
    "plan_of",
    "run_on_rank_0",
    "work",
]
