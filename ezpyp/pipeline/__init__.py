"""The face: `Pipeline` and `open_cache`."""

from ezpyp.pipeline._cache import Cache, open_cache
from ezpyp.pipeline._pipeline import Pipeline

__all__ = ["Cache", "Pipeline", "open_cache"]
