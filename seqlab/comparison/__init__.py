"""Which model is better, and how sure that is: plan, runs, statistics, report."""
