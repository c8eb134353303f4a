"""A port in; the example app served there, after a tour that shows what it answers."""
