"""Published data sets in the folders they are published in → the project's records. One file a data set."""
