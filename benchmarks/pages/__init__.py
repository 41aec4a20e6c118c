"""The service's pages in a real browser: what axe-core finds, and pictures of them."""
