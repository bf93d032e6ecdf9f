"""Cloudpickle: lambdas, local functions and classes, and all of a script's own, by content."""

from collections.abc import Sequence

from ezpyp.store.codecs import pickle
from ezpyp.store.codecs.protocol import Buffer


class CloudpickleCodec:
    """What pickle cannot store; not meant to be read by another version of Python."""

    name = "cloudpickle"
    version = 1
    suffix = ".cloudpickle"
    title = "Cloudpickle"

    def encode(self, value: object) -> Sequence[Buffer]:
        """Pickle the value with everything that it defines."""
        # Imported here: 24 ms that most scripts never need.
        import cloudpickle

        return pickle.join(*pickle.dump(cloudpickle.Pickler, value))

    def decode(self, data: memoryview) -> object:
        """Unpickle; large arrays point into ``data``."""
        return pickle.load(data)
