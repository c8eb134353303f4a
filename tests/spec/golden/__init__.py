"""Tokens that were signed once; every supported version of every dependency must judge them so."""
