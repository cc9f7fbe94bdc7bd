"""Drawn scenes, sentences about them, and which sentence is true of which scene.

A small world with a truth of its own, so that a search from text to image can be judged: a scene
is a background and a few things, each with a shape, colour, size, texture and place.
"""
