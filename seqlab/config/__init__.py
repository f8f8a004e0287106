"""Overrides in, a frozen and typed RunConfig out. No other package imports Hydra."""
