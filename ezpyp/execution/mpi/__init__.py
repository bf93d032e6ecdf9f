"""A run over several ranks."""
