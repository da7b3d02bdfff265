"""The pictures of the README that are taken of a running demo."""
