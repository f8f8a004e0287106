"""Base classes of tasks, one kind per file; a task derives from one and adds only what is specific to it."""
