"""The project's claims about never losing work, measured: see __main__.py."""
