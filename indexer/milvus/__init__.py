"""An index served by Milvus: a published copy of a generation, which shards, replicas and other machines can search.

The index on disk stays the truth, and the only place where rows are added, changed and deleted; `publish` brings a
collection to its state. `MilvusStore` searches a collection without that directory.
"""

from indexer.milvus.connect import Server
from indexer.milvus.publish import PublishReport, publish
from indexer.milvus.store import MilvusStore

__all__ = ["MilvusStore", "PublishReport", "Server", "publish"]
