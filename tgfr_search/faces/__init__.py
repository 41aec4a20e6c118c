"""Photo → `AlignedFace`, or a reason why not: decode → detect → align → measure."""

from tgfr_search.faces.align import DLIB_CHIP, Alignment
from tgfr_search.faces.finder import FaceFinder, FaceOptions
from tgfr_search.faces.photo import Photo

__all__ = ["DLIB_CHIP", "Alignment", "FaceFinder", "FaceOptions", "Photo"]
