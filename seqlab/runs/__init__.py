"""A run's folder and all that is done with it: train, resume, verify, evaluate, predict, find."""
