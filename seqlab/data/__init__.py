"""Reading corpora and files, and turning text into batches of token ids."""
