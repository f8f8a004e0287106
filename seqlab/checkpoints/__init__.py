"""What a training must remember, in files that are whole or not there."""
