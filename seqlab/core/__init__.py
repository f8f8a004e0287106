"""The types that everything agrees on, one idea a file."""
