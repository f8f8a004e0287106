"""The trainer and what stands around it."""
