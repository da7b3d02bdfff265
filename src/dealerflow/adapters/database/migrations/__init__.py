"""The steps by which the database came to be as it is (Alembic). `adapters.database.schema` takes them."""
