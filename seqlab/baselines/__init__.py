"""Simple methods without a network, which show whether a network has learned anything."""
