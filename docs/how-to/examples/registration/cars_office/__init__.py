"""Code of our own that Dealerflow calls: an example."""
