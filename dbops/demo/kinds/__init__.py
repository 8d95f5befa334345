"""What the databases of a hospital look like, one file for each family of systems."""
