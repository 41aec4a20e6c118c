"""Text-guided face search: a poor probe image and a witness's description against one gallery.

`Gallery` is the way in: `Gallery.open("tgfr-index").query("probe.jpg", caption="…")`. It is imported when first asked
for, so that the floors below (and a look at `__version__`) do not load torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.search.gallery import Gallery as Gallery

__version__ = "0.1.0"
__all__ = ["Gallery", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Gallery":
        from tgfr_search.installed import check_own_packages, explain_import

        check_own_packages()
        try:
            from pipelines.search.gallery import Gallery
        except ImportError as error:
            raise explain_import(error) from error
        return Gallery
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
