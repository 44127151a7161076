"""Importing history: the commands file, the Olist folder, and the pipeline that feeds both to the engine."""
