"""Step 3 (not in the paper): the readers of whole descriptions and of looks.

Two pictures of a subject: a witness says a line or a few about one, all lines of the other are on record. The reader is
to find the record among those of the batch, and the other picture by its face alone. Further descriptions, in other
people's words, may come without pictures.
Telling the loss what the frozen face encoder sees already made no difference (docs/experiments.md, 21).
"""
