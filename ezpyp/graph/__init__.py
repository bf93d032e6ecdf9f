"""Dependencies between steps: phases, reduction, names, lookup. Pure: nothing here reads or writes."""
