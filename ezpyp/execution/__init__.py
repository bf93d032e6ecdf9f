"""Running steps: the ready queue, one step's body, serial runs and MPI."""
