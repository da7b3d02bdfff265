"""The JSON API. Each module says its routes in `ROUTES`; their paths begin behind /api/v1."""
