"""Networks that tasks share: embeddings, sequence models, a head and a loss."""
