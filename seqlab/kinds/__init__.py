"""What tasks of one kind do."""
