"""One search, the same for every family on every task, and configs/tuned made from its results."""
