"""Mutation testing of the rooms that decide: `make mutants`."""
