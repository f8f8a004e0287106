"""Comparisons of models: plan, runs, statistics, report."""
