"""Prices from outside: a public collector or the user's own quotes, compared before anything changes."""
