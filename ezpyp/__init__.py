"""ezpyp turns functions into the steps of a pipeline, and keeps every result once, for ever."""

from ezpyp.hashing import File
from ezpyp.pipeline import Cache, Pipeline, open_cache
from ezpyp.steps import PlaceHolder, Step, Sweep, as_cloudpickle_step, as_numpy_step, as_pickle_step, as_step
from ezpyp.version import __version__

__all__ = [
    "Cache",
    "File",
    "Pipeline",
    "PlaceHolder",
    "Step",
    "Sweep",
    "__version__",
    "as_cloudpickle_step",
    "as_numpy_step",
    "as_pickle_step",
    "as_step",
    "open_cache",
]
