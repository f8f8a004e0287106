"""Checkpoints: everything that training needs to go on, in files that are whole or absent."""
