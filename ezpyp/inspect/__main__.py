"""The command ``python -m ezpyp.inspect``."""

from ezpyp.inspect.cli import main

if __name__ == "__main__":
    main()
