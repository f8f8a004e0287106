"""Decoding: sampling, greedy search and beam search, for every family."""
