"""What `make build` does before `sam build`, where an installation has files of its own."""
