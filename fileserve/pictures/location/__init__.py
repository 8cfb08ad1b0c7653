"""
Where a picture says it was taken, and how that is taken out of it without touching anything else.

Nothing is moved: every byte that goes is overwritten in its place, so a picture keeps its length, its
pixels, and whatever else it says of itself.

What is not found, because nobody but their makers knows where to look: a location inside the notes of a
camera (EXIF tag MakerNote), which some cameras are said to keep there in forms of their own; and a place
that is named in words, in a caption or as a city.
"""
