"""How networks write: sampling and greedy search (beam search has its room here)."""
