"""Turns overrides into a frozen, typed RunConfig. No other package imports Hydra."""
