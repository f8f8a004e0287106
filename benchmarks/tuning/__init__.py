"""The same random search for every family on every task, and configs/tuned made from what it found."""
