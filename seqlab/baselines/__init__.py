"""What can be had without a network: the row that shows whether anything was learned."""
