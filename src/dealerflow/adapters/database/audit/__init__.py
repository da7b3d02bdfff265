"""The auditor on SQL: what is due (`due`), what must always hold (`laws`), and the verdict (`auditor`)."""
