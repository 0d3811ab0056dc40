"""Published sets of images: fetched when asked for, read from what their publishers wrote, split as all others."""

from unroll.study.sets.corrupted import Published, published, published_copy
from unroll.study.sets.fetching import fetch
from unroll.study.sets.folders import image_folder
from unroll.study.sets.stand_in import needs_fetching, stand_in

__all__ = ["Published", "fetch", "image_folder", "needs_fetching", "published", "published_copy", "stand_in"]
