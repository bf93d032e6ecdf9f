"""A task of pure Python that every peer can import."""


def busy(number: int) -> int:
    """About 10 ms of arithmetic."""
    total = number
    for value in range(BUSY_ROUNDS):
        total = (total * 31 + value) % 1_000_003
    return total


BUSY_ROUNDS = 120_000
