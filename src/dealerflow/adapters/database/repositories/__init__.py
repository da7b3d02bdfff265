"""The repositories of a unit of work on SQL, one file for each noun."""
