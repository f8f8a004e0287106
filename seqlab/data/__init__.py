"""Where text comes from, and how it becomes batches of ids."""
