"""Tasks, one a file: batches, network and metrics."""
