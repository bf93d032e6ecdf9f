"""What one process measured."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """Numbers of one process.

    Attributes:
        seconds: From the first call to the last result stored.
        start_seconds: The same for one step, late imports included.
        files: Files and folders that the tool left in its location.
        size_bytes: Their size.
    """

    seconds: float
    start_seconds: float
    files: int
    size_bytes: int

    @classmethod
    def from_json(cls, text: str) -> "Sample":
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """The sample as text."""
        return json.dumps(asdict(self))
