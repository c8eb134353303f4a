"""A tour of the protocol on the example app, which is then served."""
