"""The face: `Pipeline` and `open_cache`."""
