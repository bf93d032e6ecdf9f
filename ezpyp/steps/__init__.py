"""Steps: what calling a decorated function declares."""

from ezpyp.steps.decorators import as_cloudpickle_step, as_numpy_step, as_pickle_step, as_step
from ezpyp.steps.step import PlaceHolder, Step, Sweep

__all__ = ["PlaceHolder", "Step", "Sweep", "as_cloudpickle_step", "as_numpy_step", "as_pickle_step", "as_step"]
