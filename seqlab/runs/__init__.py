"""A run's folder and all that is done with it: train, go on, verify, evaluate, predict, find."""
