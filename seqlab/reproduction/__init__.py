"""`seqlab reproduce`: what others published, the comparison that repeats it, and a verdict on each figure."""
