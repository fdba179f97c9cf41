"""A small real shop for end-to-end tests: purchases of a few households of The Complete Journey as landing files."""
