"""Steps: what calling a decorated function declares."""

from ezpyp.steps._collect import BARE_TYPES, PLAIN_TYPES, fill, labelled
from ezpyp.steps._declarations import RUNNING, Declarations, ResultSource, is_interactive
from ezpyp.steps._decorators import (
    AllStepOptions,
    as_cloudpickle_step,
    as_numpy_step,
    as_pickle_step,
    as_step,
)
from ezpyp.steps._function import Options, StepFunction
from ezpyp.steps._places import located, skeleton
from ezpyp.steps._reference import Reference
from ezpyp.steps._snapshots import Snapshots
from ezpyp.steps._step import PlaceHolder, Slot, Step
from ezpyp.steps._sweep import Sweep
from ezpyp.steps._tracking import tracking_of

__all__ = [
    "BARE_TYPES",
    "PLAIN_TYPES",
    "AllStepOptions",
    "RUNNING",
    "Declarations",
    "Options",
    "PlaceHolder",
    "Reference",
    "ResultSource",
    "Snapshots",
    "Slot",
    "Step",
    "StepFunction",
    "Sweep",
    "as_cloudpickle_step",
    "as_numpy_step",
    "as_pickle_step",
    "as_step",
    "fill",
    "is_interactive",
    "labelled",
    "located",
    "skeleton",
    "tracking_of",
]
