"""Predictions against measurements: read points, predict them, score, fit."""
