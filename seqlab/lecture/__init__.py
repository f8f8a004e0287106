"""The claims of a lecture, each tried by a comparison and answered: holds here, does not hold here, cannot be told."""
