"""The contact sheet of an answer, as a page and as a picture."""
