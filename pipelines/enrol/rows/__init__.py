"""Single photos and rows of an index: added, changed, deleted; nothing else of it is touched."""
