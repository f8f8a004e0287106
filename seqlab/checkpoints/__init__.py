"""Checkpoints: everything that training needs to continue, in files that are whole or absent."""
