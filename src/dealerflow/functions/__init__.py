"""Functions that come with the program, as examples of functions of your own (see
docs/how-to/add-a-state.md).
"""
