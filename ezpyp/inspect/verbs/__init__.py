"""The verbs of ``python -m ezpyp.inspect CACHE``, one file each."""
