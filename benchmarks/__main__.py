"""Run one measurement: ``python -m benchmarks NAME [options]``; every NAME has ``--help``; without one: everything."""

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules


def names() -> list[str]:
    """The measurements there are: the modules and folders of this package."""
    found = (module.name for module in iter_modules([str(Path(__file__).parent)]))
    return sorted(name for name in found if not name.startswith(("_", "test_")))


def main() -> None:
    """Hand the rest of the command line to the measurement that was named."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith("-"):
        arguments.insert(0, "everything")
    name, *rest = arguments
    if name not in names():
        sys.exit(f"usage: python -m benchmarks NAME [options]\nNAME is one of: {', '.join(names())}")
    import_module(f"benchmarks.{name}").main(rest)


if __name__ == "__main__":
    main()
