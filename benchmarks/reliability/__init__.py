"""What the project says about never losing work, measured: see __main__.py."""
