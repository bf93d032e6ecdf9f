"""Ask a cache anything, read-only: ``python -m ezpyp.inspect CACHE [VERB]``.

One file a verb. Everything comes from the rows of the index: nothing is created, nothing is unpickled
and none of the user's code is imported, so that a cache of somebody else's, a broken one and one that a run
is just writing can all be looked at.
"""
