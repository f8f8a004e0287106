"""The contracts that every model and task must meet, checked before training and by `seqlab check`."""
