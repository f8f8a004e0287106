"""Sweeps: trials of settings, as a grid or as a search, the best of them chosen on validation."""
