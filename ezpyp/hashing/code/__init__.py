"""Code as part of a digest: bytecode, what it reads, whose it is."""
