"""Commands for whoever maintains the package."""
