"""Those pages of the documentation that are made from the program. `make docs` writes them, a test compares."""
