"""The version of ezpyp."""

__version__ = "0.1.0"
