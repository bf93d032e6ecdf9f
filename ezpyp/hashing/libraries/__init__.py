"""One normaliser a library: which parts of its values count."""
