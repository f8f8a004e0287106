"""What tasks of one kind share, one kind a file: a task derives from it and says only what is its own."""
