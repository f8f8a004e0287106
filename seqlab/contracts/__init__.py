"""What every model and every task promises, checked before training and by `seqlab check`."""
