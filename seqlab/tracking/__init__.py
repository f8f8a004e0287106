"""Where the curves of a run go: TensorBoard and others, one tracker a file."""
