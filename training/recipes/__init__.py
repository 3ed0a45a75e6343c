"""Recipes: pure data."""
