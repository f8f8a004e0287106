"""Making many runs: on this machine, on a cluster, or by scripts, through one interface."""
